"""The way to the application: from where it may be called, and which proxies are believed."""

from flask import Flask
from gunicorn.http.errors import ParseException
from werkzeug.middleware.proxy_fix import ProxyFix

from handlers.problems import problem
from handlers.strangers import Hosts, Strangers
from infra.door import EVERYWHERE, Door


def strangers(door: Door, host: str) -> Strangers:
    """From where the API may be called. host: what it listens on.

    Where users log in, a browser sends their cookie to the name that they logged in at and to no other: DNS rebinding
    gains nothing there, and any name will do until some are named.
    """
    everywhere = host in EVERYWHERE
    names = frozenset(door.hosts) if everywhere else frozenset({*door.hosts, host.lower()})
    return Strangers(
        Hosts(names, any=door.needs_login and not door.hosts, addresses=everywhere), frozenset(door.origins)
    )


def answer_the_malformed(app: Flask) -> Flask:
    """What gunicorn finds out about a body only while it is read is the client's mistake, too."""
    app.register_error_handler(ParseException, lambda _: problem(400, "The body is not as HTTP has it."))
    return app


def behind_proxies(app: Flask, count: int) -> Flask:
    """So many proxies are believed who called, by which name, over what, below which path; no header of others is."""
    if count:
        fixed = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # as Flask's own documentation says
    return app
