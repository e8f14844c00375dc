"""Run `localfn web --development`: Flask's own server, which reloads changed code and shows tracebacks.

It is for developers of localfn's handlers. Its debugger executes input, so it listens on loopback only.
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
    """Keep connections open and log no requests, as gunicorn does."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: the handlers log what happens to a request."""


def check_settings(settings: Settings) -> None:
    """Raise SettingsError when other machines could reach the debugger."""
    if settings.is_production:
        raise SettingsError("--development needs LOCALFN_ENV=local: its debugger executes input.")
    if not is_loopback(settings.host):
        raise SettingsError(f"--development needs a loopback HOST, not {settings.host}: its debugger executes input.")


def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises SettingsError."""
    from infra.processes.web import make_app

    check_settings(settings)
    logging_config.configure(settings.log_level, settings.log_format, "web")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # The reloader starts this command again without -P; the variable is inherited.
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
