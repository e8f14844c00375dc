"""The one way to make an application: whatever it serves, the same checks, error answers and headers."""

from flask import Flask

from handlers.http import problems
from handlers.http.json_provider import JsonProvider
from handlers.security.origin_check import Strangers


def make_app(name: str, strangers: Strangers) -> Flask:
    """Make a Flask application that answers to known hosts only, and whose answers all have the headers."""
    app = Flask(name, static_folder=None)
    app.json = JsonProvider(app)
    problems.install(app)
    strangers.install(app)
    return app
