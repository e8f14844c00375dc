"""`localfn dashboard`: rq-dashboard alone. It has no login, so it shows and changes nothing.

The same pages stand behind the login of `localfn web`, at /rq/.
"""

from dataclasses import replace

from flask import Flask, request
from werkzeug.exceptions import MethodNotAllowed

from handlers.dashboard import routes
from handlers.security.secured_app import make_app as make_secured_app
from infra import logging_config
from infra.config.network_access import is_loopback
from infra.config.settings import Settings
from infra.errors import SettingsError
from infra.processes import wsgi
from infra.processes.web import Server

SAFE = ("GET", "HEAD", "OPTIONS")


def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises SettingsError."""
    logging_config.configure(settings.log_level, settings.log_format, "dashboard")
    check(settings)
    Server(settings, make_app).run()


def check(settings: Settings) -> None:
    """Raise SettingsError where other machines would see jobs and tracebacks."""
    if not (is_loopback(settings.host) or settings.network_access.is_insecure):
        raise SettingsError(
            f"--host {settings.host} is reachable from other machines, and `localfn dashboard` has no login. Use a "
            "loopback address, or /rq/ of `localfn web`; LOCALFN_INSECURE=1 serves it there all the same."
        )


def make_app(settings: Settings) -> Flask:
    """Make the application. It answers to this machine's names, to HOST and to LOCALFN_ALLOWED_HOSTS."""
    network_access = replace(settings.network_access, needs_login=False, origins=())
    origin_check = wsgi.make_origin_check(network_access, settings.host, production=settings.is_production)
    app = make_secured_app("localfn-dashboard", origin_check)
    app.before_request(refuse_changes)
    assert settings.redis_url is not None
    routes.install(app, settings.redis_url, origin_check)
    return wsgi.guarded(app, network_access.proxies)


def refuse_changes() -> None:
    """Raise MethodNotAllowed for a call that changes something."""
    if request.method not in SAFE:
        raise MethodNotAllowed(valid_methods=list(SAFE), description="This dashboard only shows.")
