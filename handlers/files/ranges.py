"""Parse the `Range` header of a download (RFC 9110, section 14)."""

import re

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
