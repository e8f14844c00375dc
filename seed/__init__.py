"""The place of fixtures and their loader; nothing is seeded yet."""
