"""Serve the files of requests: uploads and outputs each have an address of their own."""
