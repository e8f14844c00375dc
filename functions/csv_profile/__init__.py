"""How profile_csv works inside: reading, kinds of values, counting, summing up, drawing."""
