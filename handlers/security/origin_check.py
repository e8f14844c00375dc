"""Reject calls from web pages of other origins.

Any open web page can make the browser call a server on the same machine. Such a call is recognized by its Host (DNS
rebinding) and by Origin and Sec-Fetch-Site, which the browser adds and no page can forge. Programs need not send them.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import Headers

from handlers.http import query
from handlers.http.problems import problem_response

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PROBES = ("/healthz", "/readyz")  # container platforms call them by IP address; they reveal nothing
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
DEFAULT_PORTS = {"http": 80, "https": 443}
EXPOSED = "ETag, Location, Next-After, Current-Lines, Idempotent-Replayed, Preference-Applied, Retry-After"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-None-Match, Prefer, traceparent",
    "Access-Control-Max-Age": "600",
}


FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NOT_A_PAGE = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox"}
SAME_ORIGIN = {"Cross-Origin-Resource-Policy": "same-origin"}
READABLE_BY_ANY_PAGE = {
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "null",  # the origin of a sandboxed page
}

View = TypeVar("View", bound=Callable[..., Any])
ANY_PAGE_ATTRIBUTE = "_localfn_any_page"
ONE_YEAR_S = 31_536_000


def readable_by_any_page(view: View) -> View:
    """Allow pages of any origin to load a view. Such a view returns public data, or checks a capability."""
    setattr(view, ANY_PAGE_ATTRIBUTE, True)
    return view


def _is_readable_by_any_page() -> bool:
    return getattr(current_app.view_functions.get(request.endpoint or ""), ANY_PAGE_ATTRIBUTE, False)


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The allowed values of a Host header. any: all values. addresses: any IP address.

    An IP address is harmless: DNS rebinding needs a name.
    """

    names: frozenset[str] = frozenset()
    any: bool = False
    addresses: bool = False

    def allows(self, host: str) -> bool:
        """Return whether the host is allowed. host: without port, in lower case."""
        if self.any or host in LOOPBACK or host.endswith(".localhost") or host in self.names:
            return True
        if any(name.startswith("*.") and host.endswith(name[1:]) for name in self.names):
            return True
        return self.addresses and _is_address(host)


@dataclass(frozen=True, slots=True)
class OriginCheck:
    """Check the Host and the origin of each call. origins: other origins that may use the API.

    send_hsts: tell browsers that used TLS to use nothing else for a year.
    """

    hosts: AllowedHosts
    origins: frozenset[str] = frozenset()
    send_hsts: bool = False

    def install(self, app: Flask) -> None:
        app.before_request(self.reject_foreign)
        app.after_request(self.add_headers)
        app.after_request(make_redirects_relative)

    def reject_foreign(self) -> Response | None:
        """Return the answer to a call that is not allowed, or to a preflight; None for any other call."""
        host = split_host(f"//{request.environ.get('HTTP_HOST', '')}")
        if request.path not in PROBES and (host is None or not self.hosts.allows(host[0])):
            return _reject_host(request.headers.get("Host", ""))
        origin = request.headers.get("Origin")
        if origin is not None and origin in self.origins:
            return _answer_preflight() if request.method == "OPTIONS" else None
        if self._is_cross_origin(origin, host):
            return problem_response(
                403,
                "A web page of another origin sent this call. Add its origin to LOCALFN_ALLOWED_ORIGINS to allow it.",
            )
        return None

    def _is_cross_origin(self, origin: str | None, host: tuple[str, int | None] | None) -> bool:
        site = request.headers.get("Sec-Fetch-Site")
        is_cross_site = site not in (None, "same-origin", "none")
        if request.method in SAFE_METHODS:  # another site may link to this one, but its scripts may not read
            return (
                is_cross_site and request.headers.get("Sec-Fetch-Mode") != "navigate" and not _is_readable_by_any_page()
            )
        return is_cross_site or (origin is not None and not self._is_own(origin, host, site))

    def _is_own(self, origin: str, host: tuple[str, int | None] | None, site: str | None) -> bool:
        """Return whether the origin is this server. If a proxy changed Host, trust Sec-Fetch-Site for allowed hosts."""
        parsed = split_host(origin)
        if parsed is None or "://" not in origin:
            return False
        scheme = origin.partition(":")[0]
        target = host is not None and (host[0], host[1] or DEFAULT_PORTS.get(scheme))
        return target == (parsed[0], parsed[1] or DEFAULT_PORTS.get(scheme)) or (
            site == "same-origin" and self.hosts.allows(parsed[0])
        )

    def add_headers(self, answer: Response) -> Response:
        """Add the headers that tell browsers how to treat an answer."""
        headers = answer.headers
        added = FIXED_HEADERS
        if self.send_hsts and request.is_secure:
            added = added | {"Strict-Transport-Security": f"max-age={ONE_YEAR_S}"}
        if answer.mimetype != "text/html":  # pages set their own policy; other answers must not act as pages
            added = added | NOT_A_PAGE
        if _is_readable_by_any_page():
            added = added | READABLE_BY_ANY_PAGE
        elif self.origins:
            self._add_cors_headers(headers)
        else:
            added = added | SAME_ORIGIN
        present = {name.lower() for name, _ in headers}
        headers.extend({name: value for name, value in added.items() if name.lower() not in present})
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
    """Return the host, in lower case, and the port; None for an invalid value."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.path or parts.query or parts.fragment or parts.username is not None:
            return None
        return parts.hostname.removesuffix("."), parts.port
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def make_redirects_relative(answer: Response) -> Response:
    """Remove the host from redirects to this server: it would be the Host that the client sent."""
    location = answer.headers.get("Location", "")
    if "://" not in location:
        return answer
    base = request.host_url.rstrip("/")
    if location.startswith(f"{base}/") and not location.startswith(f"{base}//"):
        answer.headers["Location"] = location.removeprefix(base)
    return answer


def _reject_host(host: str) -> Response:
    return problem_response(403, f"The Host {query.quote(host)} is not allowed; add it to LOCALFN_ALLOWED_HOSTS.")


def _answer_preflight() -> Response:
    answer = Response(status=204)
    answer.headers.extend(PREFLIGHT)
    return answer
