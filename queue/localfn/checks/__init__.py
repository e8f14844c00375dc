"""Check declarations when the module is imported, and reject wrong ones with file, line and reason."""
