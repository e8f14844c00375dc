"""The processes of a runtime, each wired from its settings in a module of its own.

One module each, because a process pays in memory for everything that it imports.
"""
