"""Load fixtures, the first rows of a new runtime, from the files in fixtures/. They are loaded once."""
