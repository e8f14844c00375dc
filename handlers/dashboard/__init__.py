"""rq-dashboard at /rq/: other people's pages, kept apart from ours on the server and in the browser."""
