"""Provide the command line. One module per command group, imported only when its command is called."""
