"""Format output for terminals."""
