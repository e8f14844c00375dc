"""Everything that knows RQ or Redis."""
