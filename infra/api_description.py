"""The description of the HTTP API without a server, a database or a setting: for generators of clients."""

import json

from flask import Flask

from handlers.app import add_routes
from handlers.openapi.document import describe


def description() -> str:
    """The same document as /openapi.json, as JSON text."""
    app = Flask("localfn", static_folder=None)
    add_routes(app)
    return json.dumps(describe(app, ""), indent=2, ensure_ascii=False)
