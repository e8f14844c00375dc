"""Tie `localfn up` to the processes that it starts: settings and news between them, and their end after its own."""
