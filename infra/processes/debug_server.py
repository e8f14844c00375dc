"""`localfn web --development`: Flask's own server, which starts again when the code changes and shows where it failed.

For who works on localfn's own handlers. Its debugger runs what is typed into it, so it listens on loopback only.
"""

import logging
import os
from collections.abc import Callable, Iterable

from werkzeug.serving import WSGIRequestHandler, run_simple

from infra import logging_config
from infra.config.network_access import is_loopback
from infra.config.settings import Settings
from infra.errors import SettingsError


class QuietRequestHandler(WSGIRequestHandler):
    """Connections stay open, as Gunicorn's do; no line for each request, as of Gunicorn."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """No line: what happened to a request is logged where it happens."""


def check(settings: Settings) -> None:
    """Raises SettingsError where the debugger would be a way in."""
    if settings.is_production:
        raise SettingsError("--development is for LOCALFN_ENV=local: its debugger runs what is typed into it.")
    if not is_loopback(settings.host):
        raise SettingsError(
            f"--development is for a loopback HOST, not {settings.host}: its debugger runs what is typed into it."
        )


def run(settings: Settings) -> None:
    """Serves until SIGTERM. Raises SettingsError."""
    from infra.processes.web import make_app

    check(settings)
    logging_config.configure(settings.log_level, settings.log_format, "web")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # The reloader starts this command again, and drops -P; its variable stays.
    os.environ["PYTHONSAFEPATH"] = "1"
    app = make_app(settings)
    app.debug = True
    served: Callable[..., Iterable[bytes]] = app
    run_simple(
        settings.host,
        settings.port,
        served,
        threaded=True,
        use_reloader=True,
        use_debugger=True,
        request_handler=QuietRequestHandler,
    )
