"""Tables, statuses, sessions and migrations. Knows nothing above it."""
