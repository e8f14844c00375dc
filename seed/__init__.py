"""Fixtures: rows that a new runtime begins with. Files in fixtures/, read and checked here, loaded once."""
