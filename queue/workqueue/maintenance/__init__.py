"""Periodic work of one leader: recover from crashes, and remove old data."""
