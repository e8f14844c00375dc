"""Run `localfn dashboard`: rq-dashboard alone. It has no login, so it is read-only.

`localfn web` serves the same pages at /rq/, behind its login.
"""

from dataclasses import replace

from flask import Flask, redirect, request, url_for
from werkzeug.exceptions import MethodNotAllowed

from handlers.dashboard import routes
from handlers.security.secured_app import make_app as make_secured_app
from infra import logging_config
from infra.config.network_access import is_loopback
from infra.config.settings import Settings
from infra.errors import SettingsError
from infra.processes import wsgi_protection
from infra.processes.web import Server

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises SettingsError."""
    logging_config.configure(settings.log_level, settings.log_format, "dashboard")
    check_settings(settings)
    Server(settings, make_app).run()


def check_settings(settings: Settings) -> None:
    """Raise SettingsError when other machines could see jobs and tracebacks."""
    if not (is_loopback(settings.host) or settings.network_access.is_insecure):
        raise SettingsError(
            f"--host {settings.host} is reachable from other machines, and `localfn dashboard` has no login. Use a "
            "loopback address, or /rq/ of `localfn web`, or allow it with LOCALFN_INSECURE=1."
        )


def make_app(settings: Settings) -> Flask:
    """Create the application. It accepts this machine's names, HOST and LOCALFN_ALLOWED_HOSTS as Host header."""
    network_access = replace(settings.network_access, needs_login=False, origins=())
    origin_check = wsgi_protection.make_origin_check(network_access, settings.host, production=settings.is_production)
    app = make_secured_app("localfn-dashboard", origin_check)
    app.before_request(reject_changes)
    assert settings.redis_url is not None
    routes.install(app, settings.redis_url, origin_check)
    app.add_url_rule("/", "home", lambda: redirect(url_for("rq_dashboard.show")))
    return wsgi_protection.prepare_for_network(app, network_access.proxies)


def reject_changes() -> None:
    """Raise MethodNotAllowed for a call that changes data."""
    if request.method not in SAFE_METHODS:
        raise MethodNotAllowed(valid_methods=list(SAFE_METHODS), description="This dashboard is read-only.")
