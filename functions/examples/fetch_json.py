"""Call an HTTP API for JSON. Shows which failures are retried, and which are final."""

from __future__ import annotations

import base64
import http.client
import json
import math
import os
import socket
import ssl
import time
from contextlib import closing
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

from examples.http_call.addresses import Allowance, read_allowance
from examples.http_call.body import read_body, read_reason
from examples.http_call.connection import Deadline
from examples.http_call.exchange import Answer, Call, exchange, split_url, without_secrets
from localfn import Context, Fail, Retry, ValidationError, function

MAX_RETRY_AFTER_S = 300.0
MAX_HEADER_CHARACTERS = 8_192
# Set by the operator, not by an event: networks, addresses and host names that may be called although they are
# not public, separated by commas; "1" for all.
ALLOW_PRIVATE = "FETCH_JSON_ALLOW_PRIVATE"
OWN_HEADERS = ("connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade")
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
        "timeout_s": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 60,
            "default": 10,
            "description": "For all of an attempt: name, connection, redirects, headers and body",
        },
        "max_bytes": {
            "type": "integer",
            "minimum": 1,
            "maximum": 5_242_880,
            "default": 1_048_576,
            "description": "Largest body, before and after decompression",
        },
    },
}


@function(timeout_s=90, max_attempts=4, retry_delay_s=1, memory_mb=256, input=INPUT)
def fetch_json(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Call an HTTP API and return its JSON: {"status", "headers", "json", "elapsed_ms", "url"}.

    A 5xx, a 429, a timeout and a broken connection are retried: after Retry-After, else with backoff. Any other error
    status is final, and so is a response that is not JSON or is larger than max_bytes.
    A call other than GET carries an Idempotency-Key, the same in all attempts.
    Only public addresses are called, at redirects too, unless FETCH_JSON_ALLOW_PRIVATE names others: networks,
    addresses and host names, separated by commas, in the environment of localfn. Proxies are not used.
    """
    call = _call(event, context)
    place = without_secrets(call.url)
    context.logger.info("%s %s, attempt %d", call.method, place, context.attempt)
    started = time.monotonic()
    try:
        with closing(exchange(call, Deadline(event.get("timeout_s", 10)), _allowance())) as answer:
            if not 200 <= answer.status < 300:
                _refuse(answer)
            body = read_body(answer, event.get("max_bytes", 1_048_576))
    except (OSError, http.client.HTTPException) as error:
        _break_off(error, place)
    is_empty = not body and (answer.status in (204, 205) or call.method != "GET")
    return {
        "status": answer.status,
        "headers": _shown_headers(answer),
        "json": None if is_empty else _parse(body, answer),
        "elapsed_ms": round((time.monotonic() - started) * 1000),
        "url": answer.url,
    }


@fetch_json.validate
def check(event: dict[str, Any], _context: Context) -> dict[str, Any]:
    """Reject an event that can never be sent, before an attempt is made."""
    url = event["url"].strip()
    try:
        split_url(url)
    except ValueError as error:
        raise ValidationError(f"url: {error}") from None
    for name, value in event.get("headers", {}).items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ValidationError(f"headers: {name!r} is not a header name")
        if name.lower() in OWN_HEADERS:
            raise ValidationError(f"headers: {name!r} is set by fetch_json itself; leave it out")
        if not value.isprintable() or not value.isascii():
            raise ValidationError(f"headers: the value of {name!r} contains invalid characters")
    return {**event, "url": url}


def _call(event: dict[str, Any], context: Context) -> Call:
    """Return the call that the event describes; a name and password in its url become an Authorization header."""
    parts = urlsplit(event["url"])
    userinfo, _, host = parts.netloc.rpartition("@")
    method = event.get("method", "GET")
    headers = {"accept": "application/json", "accept-encoding": "gzip, deflate", "user-agent": "localfn-fetch-json/1"}
    body = None
    if userinfo:
        headers["authorization"] = "Basic " + base64.b64encode(unquote(userinfo).encode()).decode()
    if method != "GET":
        # After a timeout the call may have arrived; by this key the server recognises the next attempt.
        headers["idempotency-key"] = context.request_id
    if "body" in event:
        body = json.dumps(event["body"]).encode()
        headers["content-type"] = "application/json"
    headers.update((name.lower(), value) for name, value in event.get("headers", {}).items())
    return Call(urlunsplit((parts.scheme, host, parts.path, parts.query, "")), method, headers, body)


def _allowance() -> Allowance:
    try:
        return read_allowance(os.environ.get(ALLOW_PRIVATE, ""))
    except ValueError as error:
        raise Fail(f"the variable {ALLOW_PRIVATE} cannot be read: {error}") from None


def _refuse(answer: Answer) -> NoReturn:
    """End the attempt on a status other than 2xx: ask for another attempt if it may help, else fail with the reason."""
    place = without_secrets(answer.url)
    if answer.status == 429 or answer.status >= 500:
        raise Retry(f"{place} answered {answer.status}", delay_s=_retry_after_s(answer.header("Retry-After")))
    reason = f"{place} answered {answer.status} {answer.response.reason}"
    raise Fail(f"{reason}: {read_reason(answer)}".rstrip(": "))


def _break_off(error: Exception, place: str) -> NoReturn:
    """End the attempt without a whole response. `from None`: the cause may quote the URL with its password."""
    if isinstance(error, ssl.SSLCertVerificationError):
        raise Fail(f"{place}: the certificate is not trusted: {error.verify_message}") from None
    if isinstance(error, socket.timeout):
        raise Retry(f"{place}: timed out") from None
    if isinstance(error, http.client.HTTPException) and not isinstance(
        error, (http.client.IncompleteRead, http.client.RemoteDisconnected)
    ):
        raise Fail(f"{place}: the answer is not HTTP: {type(error).__name__}") from None
    raise Retry(f"{place}: {error or type(error).__name__}") from None


def _retry_after_s(value: str) -> float | None:
    """Return Retry-After (RFC 9110, 10.2.3: seconds, or a date) as seconds from now, at most MAX_RETRY_AFTER_S."""
    try:
        if value.strip().isdigit():
            seconds = float(value)
        else:
            moment = parsedate_to_datetime(value)
            if moment.tzinfo is None:  # the zone "-0000"
                moment = moment.replace(tzinfo=timezone.utc)
            seconds = (moment - datetime.now(timezone.utc)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _parse(body: bytes, answer: Answer) -> Any:
    """Parse the JSON of a body. The json module detects UTF-8, UTF-16 and UTF-32, with and without a mark."""
    charset = answer.response.headers.get_content_charset() or "utf-8"
    try:
        text = body if charset.startswith("utf") else body.decode(charset)
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except LookupError:
        raise Fail(f"the answer's charset {charset[:40]!r} is not known") from None
    except (ValueError, RecursionError) as error:
        raise Fail(f"the answer ({len(body):,} bytes) is not JSON: {error}") from None


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond the range of a number")
    return number


def _shown_headers(answer: Answer) -> dict[str, str]:
    """Return the headers that are useful to a caller, those of one name joined, without control characters."""
    names = {name.lower() for name in answer.response.headers}
    shown = sorted(name for name in names if name in SHOWN_HEADERS or name.startswith("x-ratelimit-"))
    return {name: "".join(filter(str.isprintable, answer.header(name)))[:MAX_HEADER_CHARACTERS] for name in shown}
