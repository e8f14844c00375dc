"""The tables, one module per group."""
