"""Evaluate the preconditions of a download in the order of RFC 9110, section 13.2.2."""

from datetime import UTC, datetime

from flask import request

from workqueue.requests.queries import RequestFile


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
    """Return whether If-None-Match, or without it If-Modified-Since, says that the client has the file."""
    if "If-None-Match" in request.headers:
        return request.if_none_match.contains_weak(file.sha256)
    since, modified = request.if_modified_since, modified_at(file)
    return since is not None and modified is not None and modified <= since
