"""Evaluate the conditions of a download in the order of RFC 9110, section 13.2.2."""

from datetime import UTC, datetime

from flask import request

from workqueue.requests.queries import RequestFile


def modified_at(found: RequestFile) -> datetime | None:
    """Return when the file was stored, in whole seconds as HTTP writes times; None for a time it cannot write."""
    try:
        return datetime.fromisoformat(found.created_at).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def are_preconditions_met(found: RequestFile) -> bool:
    """Return whether If-Match, or without it If-Unmodified-Since, lets the file be sent."""
    if "If-Match" in request.headers:
        return request.if_match.contains(found.sha256)
    since, modified = request.if_unmodified_since, modified_at(found)
    return since is None or modified is None or modified <= since


def is_not_modified(found: RequestFile) -> bool:
    """Return whether the client has the file, by If-None-Match, or without it by If-Modified-Since."""
    if "If-None-Match" in request.headers:
        return request.if_none_match.contains_weak(found.sha256)
    since, modified = request.if_modified_since, modified_at(found)
    return since is not None and modified is not None and modified <= since
