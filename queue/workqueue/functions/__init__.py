"""Discover functions, register them, and validate their input."""
