"""Answers below a sub-path, behind a proxy that passes paths on as they are; one that cuts it off needs nothing."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

WsgiApp = Callable[..., Iterable[bytes]]


class PrefixMiddleware:
    """Moves the sub-path from PATH_INFO to SCRIPT_NAME, where links that are made (rq-dashboard's) find it again."""

    def __init__(self, app: WsgiApp, path: str) -> None:
        self._app = app
        self._path = unquote(path).encode().decode("latin-1")  # as WSGI spells it

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = environ.get("PATH_INFO", "")
        if found == self._path or found.startswith(f"{self._path}/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self._path
            environ["PATH_INFO"] = found[len(self._path) :] or "/"
        return self._app(environ, start_response)
