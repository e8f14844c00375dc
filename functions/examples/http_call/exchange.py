"""Send one call and follow its redirects. Secrets stay with the server for which they are meant."""

from __future__ import annotations

import http.client
import socket
import string
from contextlib import closing
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from examples.http_call.addresses import Allowance
from examples.http_call.connection import PORTS, Deadline, Wire, connect
from localfn import Fail

MAX_REDIRECTS = 10
REDIRECTS = (301, 302, 303, 307, 308)
# Only these reach another server; keys and cookies do not.
HARMLESS_HEADERS = ("accept", "accept-encoding", "content-type", "idempotency-key", "user-agent")
HEADERS_OF_A_BODY = ("content-type", "idempotency-key")


@dataclass(frozen=True)
class Call:
    """One HTTP request. headers: names in lower case."""

    url: str
    method: str
    headers: dict[str, str]
    body: bytes | None = None


class Answer:
    """A response whose headers are here and whose body is still to be read. Closing it closes its connection."""

    def __init__(self, response: http.client.HTTPResponse, wire: Wire, url: str) -> None:
        self.response, self.wire, self.url = response, wire, url
        self.status = response.status

    def header(self, name: str) -> str:
        """Return a header's value; the values of several headers of one name are joined, as RFC 9110, 5.3 says."""
        return ", ".join(self.response.headers.get_all(name, ()))

    def close(self) -> None:
        """Close the response and its connection."""
        self.response.close()
        self.wire.close()


def exchange(call: Call, deadline: Deadline, allowance: Allowance) -> Answer:
    """Return the answer at the end of all redirects. Raises Fail, OSError, http.client.HTTPException."""
    for _ in range(MAX_REDIRECTS + 1):
        answer = _send(call, deadline, allowance)
        if answer.status not in REDIRECTS:
            return answer
        with closing(answer):
            call = _redirected(call, answer)
    raise Fail(f"{without_secrets(call.url)} answered {answer.status}: redirected more than {MAX_REDIRECTS} times")


def split_url(url: str) -> SplitResult:
    """Split a URL. Raises ValueError with the reason for a URL that cannot be called."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("http:// or https:// and a host are needed")
    if any(character <= " " or character > "~" for character in url):
        raise ValueError("spaces and characters beyond ASCII must be percent-encoded (hosts: as xn--…)")
    if parts.port == 0:
        raise ValueError("port 0 cannot be called")
    return parts


def without_secrets(url: str) -> str:
    """Return a URL for logs and messages: keys hide in the query, too."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _send(call: Call, deadline: Deadline, allowance: Allowance) -> Answer:
    parts = split_url(call.url)
    wire = connect(parts, deadline, allowance)
    try:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or PORTS[parts.scheme])
        connection.sock = cast("socket.socket", wire)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(call.method, target, call.body, {"host": parts.netloc, **call.headers})
        return Answer(_read_head(wire, call.method), wire, call.url)
    except BaseException:
        wire.close()
        raise


def _read_head(wire: Wire, method: str) -> http.client.HTTPResponse:
    """Read status and headers of the final answer; those that only announce one (103 Early Hints) are skipped."""
    while True:
        response = http.client.HTTPResponse(cast("socket.socket", wire), method=method)
        response.begin()
        if response.status >= 200:
            return response
        response.fp = None  # type: ignore[assignment] # else the end of this object would close the wire


def _redirected(call: Call, answer: Answer) -> Call:
    """Return the call that a redirect asks for. Raises Fail where it leads to no address that can be called."""
    place, location = without_secrets(call.url), answer.response.headers.get("Location")
    if not location:
        raise Fail(f"{place} answered {answer.status} without a Location")
    # http.client reads headers as Latin-1; servers send UTF-8, spaces and all.
    location = quote(location.strip().encode("latin-1", "replace"), safe=string.punctuation)
    try:
        parts = split_url(urljoin(call.url, location))
    except ValueError as error:
        raise Fail(f"{place} redirects to an address that cannot be called: {error}") from None
    if "@" in parts.netloc:
        raise Fail(f"{place} redirects to an address that contains a password")
    becomes_get = answer.status == 303 or (answer.status in (301, 302) and call.method == "POST")
    if becomes_get and call.method != "GET":
        headers = {name: value for name, value in call.headers.items() if name not in HEADERS_OF_A_BODY}
        call = replace(call, method="GET", headers=headers, body=None)
    if _origin(parts) != _origin(split_url(call.url)):
        call = replace(call, headers={name: call.headers[name] for name in HARMLESS_HEADERS if name in call.headers})
    return replace(call, url=urlunsplit(parts._replace(fragment="")))


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]
