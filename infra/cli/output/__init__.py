"""Format output for terminals and for pipes."""
