"""One runner for each compared project."""
