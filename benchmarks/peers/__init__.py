"""Compare localfn with its peers: the same durable path through each, on the same PostgreSQL and Redis.

The modules run in two environments. Those of the peers (durable, rows, idle, measured, client, bare and on_*) import
only the standard library, the packages of requirements-bench.txt and each other; the others run in localfn's.
"""
