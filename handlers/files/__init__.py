"""Serve the files of requests: uploads and outputs."""
