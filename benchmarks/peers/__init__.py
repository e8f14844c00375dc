"""localfn beside its peers: the same durable path through every one of them, on the same PostgreSQL and Redis.

Two environments meet here. What the peers need (durable, rows, idle, measured, client, bare and on_*) imports the
standard library, the packages of requirements-bench.txt and itself; all else runs in localfn's own environment.
"""
