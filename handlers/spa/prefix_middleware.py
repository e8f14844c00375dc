"""Serve the application below a sub-path, behind a proxy that does not strip the sub-path."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

WsgiApp = Callable[..., Iterable[bytes]]


class PrefixMiddleware:
    """Move the sub-path from PATH_INFO to SCRIPT_NAME, so that url_for (in rq-dashboard) puts it into links."""

    def __init__(self, app: WsgiApp, path: str) -> None:
        self._app = app
        self._path = unquote(path).encode().decode("latin-1")  # the encoding of WSGI paths

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == self._path or path.startswith(f"{self._path}/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self._path
            environ["PATH_INFO"] = path[len(self._path) :] or "/"
        return self._app(environ, start_response)
