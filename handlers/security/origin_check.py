"""Closed to web pages of other origins: which hosts are answered to, and from where a change may come.

A page that a person has open elsewhere can make the browser call a server on the person's own machine. What gives it
away: the Host that it was tricked into using (DNS rebinding), and the Origin and Sec-Fetch-Site that a browser adds and
no page can forge. Programs send none of these, and are not asked for them.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import Headers

from handlers.http.problems import problem_response

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PROBES = ("/healthz", "/readyz")  # called by address, by whatever looks after containers; they tell nothing
READING = ("GET", "HEAD", "OPTIONS")
DEFAULT_PORTS = {"http": 80, "https": 443}
EXPOSED = "ETag, Location, Next-After, Current-Lines, Idempotent-Replayed, Preference-Applied, Retry-After"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, traceparent",
    "Access-Control-Max-Age": "600",
}


View = TypeVar("View", bound=Callable[..., Any])
ANY_PAGE_ATTRIBUTE = "_localfn_any_page"
ONE_YEAR_S = 31_536_000


def readable_by_any_page(view: View) -> View:
    """Mark a view that a page of any origin may load: it gives what anybody may have, or asks for a capability."""
    setattr(view, ANY_PAGE_ATTRIBUTE, True)
    return view


def _is_readable_by_any_page() -> bool:
    return getattr(current_app.view_functions.get(request.endpoint or ""), ANY_PAGE_ATTRIBUTE, False)


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Names and addresses that a Host header may hold. any: all of them; addresses: any IP address.

    An address in the Host header is no sign of DNS rebinding: that needs a name.
    """

    names: frozenset[str] = frozenset()
    any: bool = False
    addresses: bool = False

    def allows(self, host: str) -> bool:
        """host: without its port, in lower case."""
        if self.any or host in LOOPBACK or host.endswith(".localhost") or host in self.names:
            return True
        if any(name.startswith("*.") and host.endswith(name[1:]) for name in self.names):
            return True
        return self.addresses and _is_address(host)


@dataclass(frozen=True, slots=True)
class OriginCheck:
    """Who is let in. origins: of other web pages that may use the API, as `https://example.org`.

    keep_tls: tell browsers that came over TLS to use nothing else for a year.
    """

    hosts: AllowedHosts
    origins: frozenset[str] = frozenset()
    send_hsts: bool = False

    def install(self, app: Flask) -> None:
        app.before_request(self.reject_foreign)
        app.after_request(self.add_headers)
        app.after_request(make_redirects_relative)

    def reject_foreign(self) -> Response | None:
        """The answer to a stranger; None for all others."""
        host = split_host(f"//{request.environ.get('HTTP_HOST', '')}")
        if request.path not in PROBES and (host is None or not self.hosts.allows(host[0])):
            return _reject_host()
        origin = request.headers.get("Origin")
        if origin is not None and origin in self.origins:
            return _answer_preflight() if request.method == "OPTIONS" else None
        if self._is_cross_origin(origin, host):
            return problem_response(403, "Another web page sent this. LOCALFN_ALLOWED_ORIGINS names those that may.")
        return None

    def _is_cross_origin(self, origin: str | None, host: tuple[str, int | None] | None) -> bool:
        site = request.headers.get("Sec-Fetch-Site")
        is_elsewhere = site not in (None, "same-origin", "none")
        if request.method in READING:  # a link from elsewhere may lead here; a script there may not read
            return (
                is_elsewhere and request.headers.get("Sec-Fetch-Mode") != "navigate" and not _is_readable_by_any_page()
            )
        return is_elsewhere or (origin is not None and not self._is_own(origin, host, site))

    def _is_own(self, origin: str, host: tuple[str, int | None] | None, site: str | None) -> bool:
        """Whether this origin is ours. A proxy may have changed Host: then the browser's word counts, for our hosts."""
        found = split_host(origin)
        if found is None or "://" not in origin:
            return False
        scheme = origin.partition(":")[0]
        ours = host is not None and (host[0], host[1] or DEFAULT_PORTS.get(scheme))
        return ours == (found[0], found[1] or DEFAULT_PORTS.get(scheme)) or (
            site == "same-origin" and self.hosts.allows(found[0])
        )

    def add_headers(self, answer: Response) -> Response:
        """Add the headers that tell browsers how to treat an answer."""
        headers = answer.headers
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
        if self.send_hsts and request.is_secure:
            headers.setdefault("Strict-Transport-Security", f"max-age={ONE_YEAR_S}")
        if answer.mimetype != "text/html":  # pages bring their own; anything else is not to be a page at all
            headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
        if _is_readable_by_any_page():
            headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin")
            headers.setdefault("Access-Control-Allow-Origin", "null")  # what a sandboxed page calls its origin
        elif self.origins:
            self._add_cors_headers(headers)
        else:
            headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return answer

    def _add_cors_headers(self, headers: Headers) -> None:
        headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin is not None and origin in self.origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = EXPOSED
        else:
            headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")


def split_host(url: str) -> tuple[str, int | None] | None:
    """Host and port, in lower case; None for what is none."""
    try:
        found = urlsplit(url)
        if not found.hostname or found.path or found.query or found.fragment or found.username is not None:
            return None
        return found.hostname.removesuffix("."), found.port
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def make_redirects_relative(answer: Response) -> Response:
    """A redirect to a path of ours names no host: it would be the one that the client has called us."""
    base, location = request.host_url.rstrip("/"), answer.headers.get("Location", "")
    if location.startswith(f"{base}/") and not location.startswith(f"{base}//"):
        answer.headers["Location"] = location.removeprefix(base)
    return answer


def _reject_host() -> Response:
    return problem_response(
        403, "localfn does not answer to this Host. LOCALFN_ALLOWED_HOSTS names those that it answers to."
    )


def _answer_preflight() -> Response:
    answer = Response(status=204)
    answer.headers.extend(PREFLIGHT)
    return answer
