"""Define the tables, one module per group."""
