"""Measure how the HTTP edge holds while a crowd of bad clients attacks it."""
