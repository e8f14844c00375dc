"""Serve the files of the SPA, and its index page for every path that its router handles.

The manifest that `localfn init` wrote says how browsers cache a file: forever if its name holds the hash of its
content; otherwise they revalidate it.
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
# An unknown path below one of these is an error, not a page of the SPA.
RESERVED_PATHS = frozenset({"api", "rq", "docs", "metrics", "healthz", "readyz", "openapi.json", "static", "assets"})
NOT_BUILT_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>localfn</title>
<p>localfn is running, but the SPA is not built. Stop localfn and start it with <code>./dev up</code>, which builds it.
</html>
"""


@dataclass(frozen=True, slots=True)
class SpaConfig:
    """folder: a link to the current version. static_origin, api_origin: `https://host` of another host, else empty.

    path: the sub-path of the SPA, without a slash at its end; empty at the root.
    """

    folder: Path
    path: str = ""
    static_origin: str = ""
    api_origin: str = ""

    @property
    def policy(self) -> str:
        """Return the Content-Security-Policy: nothing inline, and no other host but the configured ones."""
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
    """Serve only files that the manifest of the current version lists."""

    def __init__(self, spa: SpaConfig) -> None:
        self._spa = spa
        self._loaded: tuple[Path | None, dict[str, Any]] = (None, {})

    def install(self, app: Flask) -> None:
        app.add_url_rule("/", "front", self.index)
        # rq-dashboard builds the URL of the icon; serve_unrouted serves it like every other file.
        app.add_url_rule("/<path:filename>", "static", build_only=True)
        # An error handler, not a catch-all route: a wrong method of an API path stays 405, an unknown path 404.
        app.register_error_handler(NotFound, self.serve_unrouted)
        if self._spa.path:
            app.wsgi_app = PrefixMiddleware(app.wsgi_app, self._spa.path)  # type: ignore[method-assign]

    @public
    def index(self) -> Response:
        return self._send("index.html") or self._add_security_headers(Response(NOT_BUILT_PAGE, mimetype="text/html"))

    def serve_unrouted(self, error: HTTPException) -> Response:
        """Answer a path without a route: a file of the SPA, or a page of its router."""
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
        is_gzip = entry["gzip"] and request.accept_encodings["gzip"] > 0
        content = (version / "files" / (f"{name}.gz" if is_gzip else name)).read_bytes()
        answer = Response(content, mimetype=_media_type(name))
        answer.set_etag(entry["etag"] + ("-gzip" if is_gzip else ""))
        if is_gzip:
            answer.headers["Content-Encoding"] = "gzip"
        if entry["gzip"]:
            answer.vary.add("Accept-Encoding")
        answer.headers["Cache-Control"] = IMMUTABLE if entry["immutable"] else "no-cache"
        answer.make_conditional(request)
        return self._add_security_headers(answer)

    def _current(self) -> tuple[Path | None, dict[str, Any]]:
        """Return the folder of the current version and its files; read the manifest after each change of the link."""
        link = self._spa.folder
        try:
            version = link.parent / link.readlink()
            if self._loaded[0] != version:
                self._loaded = (version, json.loads((version / "manifest.json").read_bytes())["files"])
        except FileNotFoundError:
            return None, {}
        return self._loaded

    def _add_security_headers(self, answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = self._spa.policy
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "same-origin"
        if answer.status_code == HTTPStatus.OK and "Cache-Control" not in answer.headers:
            answer.headers["Cache-Control"] = "no-store"
        return answer


# Not mimetypes: the table of the system may map .js to text/plain, and browsers do not run that with nosniff.
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
