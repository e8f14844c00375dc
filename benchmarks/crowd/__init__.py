"""Measure the HTTP edge while many bad clients attack it."""
