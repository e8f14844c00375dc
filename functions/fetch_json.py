"""fetch_json: ask an HTTP API for JSON. Which failures are worth another attempt, and which are final."""

from __future__ import annotations

import base64
import http.client
import json
import math
import ssl
import time
import urllib.request
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from localfn import Context, Fail, Retry, ValidationError, function

MAX_RETRY_AFTER_S = 300.0
SHOWN_OF_A_REFUSAL = 500
HARMLESS_HEADERS = ("Accept", "User-agent")
SHOWN_HEADERS = (
    "content-type",
    "date",
    "etag",
    "last-modified",
    "cache-control",
    "link",
    "location",
    "retry-after",
)

INPUT = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "url": {"type": "string", "description": "http:// or https://"},
        "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"], "default": "GET"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "body": {"description": "Any JSON; sent as application/json"},
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 60, "default": 10},
        "max_bytes": {"type": "integer", "minimum": 1, "maximum": 5_242_880, "default": 1_048_576},
    },
}


@function(timeout_s=90, max_attempts=4, retry_delay_s=1, memory_mb=256, input=INPUT)
def fetch_json(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Calls an HTTP API and returns its JSON: {"status", "headers", "json", "elapsed_ms", "url"}.

    Another attempt follows after 5xx, 429, a timeout or a broken connection: when Retry-After says so, else
    after a growing pause. Any other refusal, and an answer that is no JSON or is larger than max_bytes, fails
    at once. A call other than GET carries an Idempotency-Key that stays the same over all attempts.
    """
    request = _request(event, context)
    place = _without_secrets(request.full_url)
    context.logger.info("%s %s, attempt %d", request.get_method(), place, context.attempt)
    started = time.monotonic()
    try:
        with _OPENER.open(request, timeout=event.get("timeout_s", 10)) as response:
            body = _read(response, event.get("max_bytes", 1_048_576), started + event.get("timeout_s", 10))
    except HTTPError as refusal:
        with closing(refusal):
            _refused(refusal, place)
    except (OSError, http.client.HTTPException) as error:
        _broken(error, place)
    return {
        "status": response.status,
        "headers": _useful(response.headers),
        "json": _parsed(body, response.status),
        "elapsed_ms": round((time.monotonic() - started) * 1000),
        "url": response.url,
    }


@fetch_json.validate
def check(event: dict[str, Any], _context: Context) -> dict[str, Any]:
    """Refuses what can never be sent, before an attempt is made."""
    try:
        parts = urlsplit(event["url"].strip())
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValidationError(f"url: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValidationError("url: http:// or https:// and a host are needed")
    if any(character <= " " or character > "~" for character in event["url"].strip()):
        raise ValidationError("url: spaces and characters beyond ASCII must be percent-encoded (hosts: as xn--…)")
    for name, value in event.get("headers", {}).items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ValidationError(f"headers: {name!r} is no header name")
        if not value.isprintable() or not value.isascii():
            raise ValidationError(f"headers: the value of {name!r} holds characters that a header cannot")
    return {**event, "url": event["url"].strip()}


def _request(event: dict[str, Any], context: Context) -> urllib.request.Request:
    """The call that the event describes; a name and password in its url become an Authorization header."""
    parts = urlsplit(event["url"])
    userinfo, _, host = parts.netloc.rpartition("@")
    url = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    request = urllib.request.Request(url, method=event.get("method", "GET"))  # noqa: S310 - check() saw the scheme
    request.add_header("Accept", "application/json")
    request.add_header("User-Agent", "localfn-fetch-json/1")
    if userinfo:
        token = base64.b64encode(unquote(userinfo).encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    if request.get_method() != "GET":
        # A timeout does not tell whether the call arrived; by this key the server knows the next as the same.
        request.add_header("Idempotency-Key", context.request_id)
    if "body" in event:
        request.data = json.dumps(event["body"]).encode()
        request.add_header("Content-Type", "application/json")
    for name, value in event.get("headers", {}).items():
        request.add_header(name, value)
    return request


class _Redirects(urllib.request.HTTPRedirectHandler):
    """urllib's own takes every header along; here keys and cookies stay with their own server."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            fp.close()
            raise Fail(f"{_without_secrets(req.full_url)} redirects to a {urlsplit(newurl).scheme}: address")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and _origin(newurl) != _origin(req.full_url):
            following.headers = {name: req.headers[name] for name in HARMLESS_HEADERS if name in req.headers}
        fp.close()  # urllib would read its body to the end, however long
        return following


def _opener() -> urllib.request.OpenerDirector:
    """Not build_opener(): that one also opens file:, ftp: and data: addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        _Redirects,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


_OPENER = _opener()


def _read(response: http.client.HTTPResponse, max_bytes: int, ends_at: float) -> bytes:
    """The whole body. The socket's timeout is for each piece; `ends_at` is for all of them together."""
    expected = response.length
    if expected is not None and expected > max_bytes:
        raise Fail(f"the answer has {expected:,} bytes, {max_bytes:,} are allowed (max_bytes)")
    body = bytearray()
    while expected is None or len(body) < expected:
        piece = response.read1(65_536)
        body += piece
        if not piece:
            break
        if len(body) > max_bytes:
            raise Fail(f"the answer has more than the {max_bytes:,} bytes that are allowed (max_bytes)")
        if time.monotonic() > ends_at:
            raise TimeoutError("the answer takes too long")
    if expected is not None and len(body) < expected:
        raise http.client.IncompleteRead(b"", expected - len(body))
    return bytes(body)


def _refused(refusal: HTTPError, place: str) -> NoReturn:
    """A status other than 2xx: another attempt where it may help, else the end with what the server said."""
    if refusal.code == 429 or refusal.code >= 500:
        delay_s = _retry_after_s(refusal.headers.get("Retry-After"))
        raise Retry(f"{place} answered {refusal.code}", delay_s=delay_s) from None
    try:
        said = refusal.read(SHOWN_OF_A_REFUSAL).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        said = ""
    said = "".join(letter if letter.isprintable() else " " for letter in said).strip()
    raise Fail(f"{place} answered {refusal.code} {refusal.reason}: {said}".rstrip(": ")) from None


def _broken(error: Exception, place: str) -> NoReturn:
    """No answer, or half of one. `from None`: the cause may quote the address with its password."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        raise Fail(f"{place}: the certificate is not trusted: {reason.verify_message}") from None
    if isinstance(reason, http.client.InvalidURL):
        raise Fail(f"{place} redirects to an address that cannot be used") from None
    what = "timed out" if isinstance(reason, TimeoutError) or "timed out" in str(reason) else str(reason)
    raise Retry(f"{place}: {what or type(reason).__name__}") from None


def _retry_after_s(value: str | None) -> float | None:
    """Retry-After (RFC 9110, 10.2.3: seconds, or a date) as seconds from now, at most MAX_RETRY_AFTER_S."""
    if value is None:
        return None
    try:
        if value.strip().isdigit():
            seconds = float(value)
        else:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _parsed(body: bytes, status: int) -> Any:
    if status in (204, 205):
        return None
    try:
        return json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Fail(f"the answer ({len(body):,} bytes) is not JSON: {error}") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond what a number can be here")
    return number


def _useful(headers: http.client.HTTPMessage) -> dict[str, str]:
    names = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in names if name in SHOWN_HEADERS or name.startswith("x-ratelimit-")}


def _origin(url: str) -> tuple[str, str]:
    return urlsplit(url)[:2]


def _without_secrets(url: str) -> str:
    """For logs and messages: keys hide in the query, too."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
