"""Checks declarations: what is declared can be done, or is refused with file, line and reason."""
