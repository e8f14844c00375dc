"""Authenticate clients, check hosts and origins, and set security headers."""
