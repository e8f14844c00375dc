"""Protect the WSGI application: allowed hosts and origins, trusted proxies, malformed bodies."""

from flask import Flask
from gunicorn.http.errors import ParseException
from werkzeug.middleware.proxy_fix import ProxyFix

from handlers.http.problems import problem_response
from handlers.security.origin_check import AllowedHosts, OriginCheck
from infra.config.network_access import EVERYWHERE, NetworkAccess


def make_origin_check(network_access: NetworkAccess, host: str, *, production: bool) -> OriginCheck:
    """Return the check of the Host and Origin headers. host: the address that the application listens on.

    With logins, a browser sends its cookie only to the host name of the login, so DNS rebinding gains nothing. Any name
    is then accepted until LOCALFN_ALLOWED_HOSTS is set.
    """
    everywhere = host in EVERYWHERE
    names = frozenset(network_access.hosts) if everywhere else frozenset({*network_access.hosts, host.lower()})
    hosts = AllowedHosts(names, any=network_access.needs_login and not network_access.hosts, addresses=everywhere)
    return OriginCheck(hosts, frozenset(network_access.origins), send_hsts=production)


def prepare_for_network(app: Flask, proxies: int) -> Flask:
    """Handle malformed bodies and trust the headers of this number of proxies.

    Trusted proxies report client address, host, scheme and path prefix; such headers of others are ignored.
    """
    app.register_error_handler(ParseException, lambda _: problem_response(400, "The body is not valid HTTP."))
    if proxies:
        fixed = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies, x_prefix=proxies)
        app.wsgi_app = fixed  # type: ignore[method-assign]  # as Flask's documentation recommends
    return app
