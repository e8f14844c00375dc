"""Determine why a sandbox ended, from its exit status and memory use."""
