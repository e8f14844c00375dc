"""Measure the cost of rows in PostgreSQL, and its growth with the table."""
