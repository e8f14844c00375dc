"""Read, search and cancel requests."""
