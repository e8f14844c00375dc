"""Endpoints for users, sessions, API keys and the audit log."""
