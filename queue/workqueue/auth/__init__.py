"""Authentication and permissions: users with passwords and sessions, programs with API keys."""
