"""The pool of a machine and its workers: how many there are, and how each takes bells from Redis."""
