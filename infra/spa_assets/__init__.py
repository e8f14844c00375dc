"""Publish the built SPA with the addresses of a runtime in it."""
