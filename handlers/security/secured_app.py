"""The one way to make an application: whatever it serves, the same checks, error answers and headers."""

from flask import Flask

from handlers.http import problems
from handlers.http.json_provider import JsonProvider
from handlers.security.origin_check import OriginCheck


def make_app(name: str, origin_check: OriginCheck) -> Flask:
    """Make a Flask application that answers to known hosts only, and whose answers all have the headers."""
    app = Flask(name, static_folder=None)
    app.json = JsonProvider(app)
    problems.install(app)
    origin_check.install(app)
    return app
