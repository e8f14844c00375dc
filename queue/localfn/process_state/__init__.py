"""The state of the process that runs user code: what it is after the import, and after each request."""
