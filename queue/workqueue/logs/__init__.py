"""The output of functions: bounded in size, kept when a worker is killed, stored in PostgreSQL."""
