"""Wire each process of the runtime from its settings.

One module per process: a process pays in memory for every import.
"""
