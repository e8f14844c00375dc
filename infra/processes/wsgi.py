"""The way to the application: from where it may be called, and which proxies are believed."""

from flask import Flask
from gunicorn.http.errors import ParseException
from werkzeug.middleware.proxy_fix import ProxyFix

from handlers.http.problems import problem_response
from handlers.security.origin_check import AllowedHosts, OriginCheck
from infra.config.network_access import EVERYWHERE, NetworkAccess


def make_origin_check(network_access: NetworkAccess, host: str, *, production: bool) -> OriginCheck:
    """Return from where an application may be called. host: what it listens on.

    Where users log in, a browser sends their cookie to the name that they logged in at and to no other: DNS rebinding
    gains nothing there, and any name will do until some are named.
    """
    everywhere = host in EVERYWHERE
    names = frozenset(network_access.hosts) if everywhere else frozenset({*network_access.hosts, host.lower()})
    hosts = AllowedHosts(names, any=network_access.needs_login and not network_access.hosts, addresses=everywhere)
    return OriginCheck(hosts, frozenset(network_access.origins), send_hsts=production)


def guarded(app: Flask, proxies: int) -> Flask:
    """Complete an application for the network: malformed bodies, and how many proxies are believed.

    Trusted proxies tell who called, by which name, over what, below which path; no header of others is believed.
    """
    app.register_error_handler(ParseException, lambda _: problem_response(400, "The body is not as HTTP has it."))
    if proxies:
        fixed = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies, x_prefix=proxies)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # as Flask's own documentation says
    return app
