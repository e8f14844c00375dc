"""Hold the parts of fetch_json: addresses that may be called, timed connections, redirects, bodies."""
