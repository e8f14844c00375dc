"""Endpoints of health, metrics and the API description."""
