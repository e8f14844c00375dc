"""Checks declarations: localfn can do what they say, or refuses them with file, line and reason."""
