"""Endpoints for health, readiness, metrics and the API docs."""
