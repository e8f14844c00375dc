"""Decide which bytes of a file a `Range` header asks for (RFC 9110, section 14). Pure."""

import re

# One range of bytes: first-last, first-, or -length. All else is ignored, several ranges too, as the RFC allows.
SINGLE_RANGE = re.compile(r"bytes=[ \t]*(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))[ \t]*", re.ASCII | re.IGNORECASE)


class UnsatisfiableError(Exception):
    """The file has no byte of the range."""


def parse_range(header: str | None, size: int) -> range | None:
    """Return the places of the bytes to send; None for the whole file. Raises UnsatisfiableError."""
    match = SINGLE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        found = range(max(size - int(suffix), 0), size)
    elif last and int(last) < int(first):
        return None
    else:
        found = range(int(first), min(int(last) + 1 if last else size, size))
    if not found:
        raise UnsatisfiableError
    return found
