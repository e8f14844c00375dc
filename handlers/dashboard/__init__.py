"""rq-dashboard at /rq/: third-party pages, isolated from localfn on the server and in the browser."""
