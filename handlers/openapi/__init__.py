"""Describe the API as OpenAPI 3.1, from the routes themselves.

Each route carries an `operation` (operation.py). It parses the query, and the document (document.py) is assembled from
all operations, so no second list of routes can go out of date. The libraries for Flask were not used: they depend on
pydantic models, which the runtime does without, and they validate a second time, with poorer error messages.
"""
