"""Hold the parts of profile_csv: detection, reading, kinds of values, counting, summing up, drawing, warnings."""
