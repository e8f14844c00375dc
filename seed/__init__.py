"""Fixtures and the one-shot loader."""
