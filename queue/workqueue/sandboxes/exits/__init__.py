"""Finds out why a sandbox ended, from measurements only."""
