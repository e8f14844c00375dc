"""Deliver JSON and text answers: with an ETag, which makes polling cheap, and with gzip if the client accepts it."""

import gzip
from dataclasses import replace

from flask import Flask, Response, request

from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Header, Operation

TAGGED = "application/json"
NEVER_STORED = ("/api/session",)  # no-store
COMPRESSED = (TAGGED, "application/problem+json", "text/plain")
MIN_COMPRESSED_BYTES = 1024  # below, the gzip header outweighs the saving
GZIP_LEVEL = 1  # shrinks a list of requests to a tenth; a higher level costs more time than it saves
ETAG = Header("ETag", string(), "If-None-Match with this value is answered with 304 until the resource changes")
IF_NONE_MATCH = Header("If-None-Match", string(), "the ETag of a previous answer")
NOT_MODIFIED = Answer(304, "The resource has not changed since that ETag.", headers=(ETAG,))


def install(app: Flask) -> None:
    app.after_request(deliver)


def deliver(answer: Response) -> Response:
    """Answer 304 if the client has the answer, else compress it. Streams, files and secrets stay unchanged."""
    if answer.is_streamed or answer.direct_passthrough or "no-store" in answer.headers.get("Cache-Control", ""):
        return answer
    if request.method in ("GET", "HEAD") and answer.status_code == 200 and _is_tagged(request.path, answer.mimetype):
        _tag(answer)
    if answer.status_code != 304:
        _compress(answer)
    return answer


def document_delivery(operation: Operation, method: str, path: str) -> Operation:
    """Return the operation with the headers and the status that `deliver` adds."""
    first = operation.answers[0] if operation.answers else None
    if method != "GET" or first is None or not any(_is_tagged(path, kind) for kind in first.content or {}):
        return operation
    tagged = [
        replace(answer, headers=(ETAG, *answer.headers)) if answer.status == 200 else answer
        for answer in operation.answers
    ]
    return replace(operation, answers=(*tagged, NOT_MODIFIED), headers=(*operation.headers, IF_NONE_MATCH))


def _is_tagged(path: str, mimetype: str | None) -> bool:
    return path.startswith("/api/") and path not in NEVER_STORED and mimetype == TAGGED


def _tag(answer: Response) -> None:
    """Add an ETag unless the view has set one, and answer 304 if the client sent it."""
    answer.add_etag(weak=True)  # weak: the same for the plain and the compressed bytes
    etag, _ = answer.get_etag()
    if etag is not None and request.if_none_match.contains_weak(etag):
        answer.status_code = 304


def _compress(answer: Response) -> None:
    if answer.mimetype not in COMPRESSED or "Content-Encoding" in answer.headers:
        return
    body = answer.get_data()
    if len(body) < MIN_COMPRESSED_BYTES:
        return
    answer.vary.add("Accept-Encoding")
    # Not for writes: another site could measure the size of an answer that holds its own text beside a secret (BREACH).
    if request.method not in ("GET", "HEAD") or not request.accept_encodings["gzip"]:
        return
    answer.set_data(gzip.compress(body, GZIP_LEVEL, mtime=0))
    answer.headers["Content-Encoding"] = "gzip"
