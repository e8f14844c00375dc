"""Prepare a machine for sandboxes: the Unix user, the interpreter, and the SDK on its path."""
