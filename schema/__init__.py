"""Define tables, statuses, engines and migrations. Imports nothing from the packages above it."""
