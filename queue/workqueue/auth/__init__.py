"""Who calls, and what he may do: users with passwords and sessions, programs with API keys."""
