"""Publish the built SPA with the base URLs of the runtime."""
