"""Evaluate the Range header and the preconditions of a download (RFC 9110, sections 13.2.2 and 14)."""

import re
from datetime import UTC, datetime

from flask import request

from workqueue.requests.queries import RequestFile

# One byte range: first-last, first-, or -length. Any other header is ignored, as the RFC allows, even several ranges.
SINGLE_RANGE = re.compile(r"bytes=[ \t]*(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))[ \t]*", re.ASCII | re.IGNORECASE)


class UnsatisfiableError(Exception):
    """The file has none of the bytes in the range."""


def parse_range(header: str | None, size: int) -> range | None:
    """Return the positions of the requested bytes; None for the whole file. Raises UnsatisfiableError."""
    match = SINGLE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        wanted = range(max(size - int(suffix), 0), size)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = range(int(first), min(int(last) + 1 if last else size, size))
    if not wanted:
        raise UnsatisfiableError
    return wanted


def modified_at(file: RequestFile) -> datetime | None:
    """Return when the file was stored, in whole seconds; None for a time that an HTTP header cannot express."""
    try:
        return datetime.fromisoformat(file.created_at).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def are_preconditions_met(file: RequestFile) -> bool:
    """Return whether If-Match, or without it If-Unmodified-Since, allows the download."""
    if "If-Match" in request.headers:
        return request.if_match.contains(file.sha256)
    since, modified = request.if_unmodified_since, modified_at(file)
    return since is None or modified is None or modified <= since


def is_not_modified(file: RequestFile) -> bool:
    """Return whether If-None-Match, or without it If-Modified-Since, shows that the client has the file."""
    if "If-None-Match" in request.headers:
        return request.if_none_match.contains_weak(file.sha256)
    since, modified = request.if_modified_since, modified_at(file)
    return since is not None and modified is not None and modified <= since
