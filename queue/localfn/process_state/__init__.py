"""Record the state of the process that runs user code, and restore it after each request."""
