"""Create Flask applications. All have the same checks, error answers and security headers."""

from flask import Flask

from handlers.http import problems
from handlers.http.json_provider import JsonProvider
from handlers.security.origin_check import OriginCheck


def make_app(name: str, origin_check: OriginCheck) -> Flask:
    """Return a Flask application that answers known hosts only and adds security headers to all answers."""
    app = Flask(name, static_folder=None)
    # No view is a coroutine; Flask would check that for each function of each call.
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]
    app.json = JsonProvider(app)
    problems.install(app)
    origin_check.install(app)
    return app
