"""Build the responses that the event loop sends itself, without a thread."""

import json
from http import HTTPStatus


def _error_response(status: HTTPStatus, detail: str, *fields: str) -> bytes:
    problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    body = (json.dumps(problem) + "\n").encode()
    head = (
        f"HTTP/1.1 {status} {status.phrase}",
        "Content-Type: application/problem+json",
        "X-Content-Type-Options: nosniff",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *fields,
    )
    return "\r\n".join((*head, "", "")).encode() + body


BUSY = _error_response(HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests are waiting; try again.", "Retry-After: 2")
HEAD_TOO_LARGE = _error_response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request head is larger than 64 KiB.")
