"""Serve the SPA."""
