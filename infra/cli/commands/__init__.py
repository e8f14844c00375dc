"""One module per command group; RootGroup imports a module when its command is called."""
