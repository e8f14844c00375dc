"""The screen: its files, and its one page for every address that is its own affair.

What the browser may keep follows from the manifest that `localfn init` wrote: a file whose name holds the hash of its
content for ever, every other one only to ask whether it is still the same.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, NotFound

from handlers.http import problems
from handlers.security.authentication import public
from handlers.spa.prefix_middleware import PrefixMiddleware

IMMUTABLE = "public, max-age=31536000, immutable"
# Addresses that are not the screen's: an unknown one below them is an error, not a page.
RESERVED_PATHS = frozenset({"api", "rq", "docs", "metrics", "healthz", "readyz", "openapi.json", "static", "assets"})
NOT_BUILT_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>localfn</title>
<p>localfn is running, but its screen is not built: stop it and start it with <code>./dev up</code>, which builds it.
</html>
"""


@dataclass(frozen=True, slots=True)
class SpaConfig:
    """Where its files are. static_origin, api_origin: `https://host` where they lie elsewhere, else empty.

    path: under which the screen is found, without a slash at its end; empty at the root.
    """

    folder: Path
    path: str = ""
    static_origin: str = ""
    api_origin: str = ""

    @property
    def policy(self) -> str:
        """The Content-Security-Policy: nothing inline, nothing from elsewhere but what was set to be there."""
        static = f"'self' {self.static_origin}".strip()
        return "; ".join(
            (
                f"default-src {static}",
                f"connect-src {' '.join(filter(None, (static, self.api_origin)))}",
                f"img-src {static} data:",
                "object-src 'none'",
                "base-uri 'self'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            )
        )


class StaticFiles:
    """Serves what the manifest of the current version lists, and nothing else."""

    def __init__(self, screen: SpaConfig) -> None:
        self._screen = screen
        self._seen: tuple[Path | None, dict[str, Any]] = (None, {})

    def install(self, app: Flask) -> None:
        app.add_url_rule("/", "front", self.index)
        # rq-dashboard asks for the address of the icon; it is served below like every other file.
        app.add_url_rule("/<path:filename>", "static", build_only=True)
        # As an error handler, so that a wrong method of an API's path stays a 405 and its unknown path a 404.
        app.register_error_handler(NotFound, self.serve_unrouted)
        if self._screen.path:
            app.wsgi_app = PrefixMiddleware(app.wsgi_app, self._screen.path)  # type: ignore[method-assign]

    @public
    def index(self) -> Response:
        return self._send("index.html") or self._add_security_headers(Response(NOT_BUILT_PAGE, mimetype="text/html"))

    def serve_unrouted(self, error: HTTPException) -> Response:
        """What no route answers: a file, or an address that the screen's own router knows."""
        if request.routing_exception is not error or request.method not in ("GET", "HEAD"):
            return problems.handle_http_exception(error)
        path = request.path.lstrip("/")
        if (sent := self._send(path)) is not None:
            return sent
        first = path.partition("/")[0]
        if first in RESERVED_PATHS or "text/html" not in request.accept_mimetypes.values():
            return problems.handle_http_exception(error)
        return self.index()

    def _send(self, name: str) -> Response | None:
        version, files = self._current()
        if version is None or (entry := files.get(name)) is None:
            return None
        packed = entry["gzip"] and request.accept_encodings["gzip"] > 0
        content = (version / "files" / (f"{name}.gz" if packed else name)).read_bytes()
        answer = Response(content, mimetype=_media_type(name))
        answer.set_etag(entry["etag"] + ("-gzip" if packed else ""))
        if packed:
            answer.headers["Content-Encoding"] = "gzip"
        if entry["gzip"]:
            answer.vary.add("Accept-Encoding")
        answer.headers["Cache-Control"] = IMMUTABLE if entry["immutable"] else "no-cache"
        answer.make_conditional(request)
        return self._add_security_headers(answer)

    def _current(self) -> tuple[Path | None, dict[str, Any]]:
        """The version that the link names now, and its files; another one is read when the link has moved."""
        link = self._screen.folder
        try:
            version = link.parent / link.readlink()
            if self._seen[0] != version:
                self._seen = (version, json.loads((version / "manifest.json").read_bytes())["files"])
        except FileNotFoundError:
            return None, {}
        return self._seen

    def _add_security_headers(self, answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = self._screen.policy
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "same-origin"
        if answer.status_code == HTTPStatus.OK and "Cache-Control" not in answer.headers:
            answer.headers["Cache-Control"] = "no-store"
        return answer


# Not asked from the system: its table may call JavaScript plain text, which nosniff then refuses to run.
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


def _media_type(name: str) -> str:
    return MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
