"""Deliver JSON and text answers: with an ETag, so that polling costs little, and compressed for who accepts gzip."""

import gzip
from dataclasses import replace

from flask import Flask, Response, request

from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Header, Operation

TAGGED = "application/json"
NEVER_STORED = ("/api/session",)  # no-store
COMPRESSED = (TAGGED, "application/problem+json", "text/plain")
MIN_COMPRESSED_BYTES = 1024  # below it the header costs as much as is saved
GZIP_LEVEL = 1  # a list of requests shrinks to a tenth already; more costs more time than it saves
ETAG = Header("ETag", string(), "of this representation: If-None-Match with it answers 304 while it is the same")
IF_NONE_MATCH = Header("If-None-Match", string(), "an ETag that was answered before")
NOT_MODIFIED = Answer(304, "It is what the client has already.", headers=(ETAG,))


def install(app: Flask) -> None:
    app.after_request(deliver)


def deliver(answer: Response) -> Response:
    """Answer 304 for what the client has, else compress. Leaves streams, files and secrets as they are."""
    if answer.is_streamed or answer.direct_passthrough or "no-store" in answer.headers.get("Cache-Control", ""):
        return answer
    if request.method in ("GET", "HEAD") and answer.status_code == 200 and _is_tagged(request.path, answer.mimetype):
        _tag(answer)
    if answer.status_code != 304:
        _compress(answer)
    return answer


def document_delivery(told: Operation, method: str, path: str) -> Operation:
    """Return an operation with what `deliver` adds to it."""
    first = told.answers[0] if told.answers else None
    if method != "GET" or first is None or not any(_is_tagged(path, kind) for kind in first.content or {}):
        return told
    tagged = [
        replace(answer, headers=(ETAG, *answer.headers)) if answer.status == 200 else answer for answer in told.answers
    ]
    return replace(told, answers=(*tagged, NOT_MODIFIED), headers=(*told.headers, IF_NONE_MATCH))


def _is_tagged(path: str, mimetype: str | None) -> bool:
    return path.startswith("/api/") and path not in NEVER_STORED and mimetype == TAGGED


def _tag(answer: Response) -> None:
    """Add the ETag, unless the view has one of its own; 304 when the client names it."""
    answer.add_etag(weak=True)  # one for the plain and the compressed bytes
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
    # Only what is read: an answer to a write may repeat what another site made a browser send beside a secret.
    if request.method not in ("GET", "HEAD") or not request.accept_encodings["gzip"]:
        return
    answer.set_data(gzip.compress(body, GZIP_LEVEL, mtime=0))
    answer.headers["Content-Encoding"] = "gzip"
