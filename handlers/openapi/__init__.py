"""The API's description, made from what the routes themselves say.

A route carries an `operation` (operation.py), which reads its query, checks its body, and is what the description
(document.py) is assembled from: there is no second list to keep in step. Our own few files rather than one of the
libraries for Flask, because those bind to pydantic models, which the runtime does without, and validate a second time
what `query` and the lower floors refuse with better words.
"""
