"""Compute the times of schedules. Pure: the time is a parameter."""
