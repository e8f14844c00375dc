"""Endpoints of the resources: requests, functions, schedules, queues and stats."""
