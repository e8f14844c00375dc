"""Read what scheduling needs from the head of a request. Gunicorn parses and validates the head again."""

import re
from dataclasses import dataclass

MAX_HEAD_BYTES = 64 * 1024
MAX_AHEAD_BYTES = 64 * 1024  # a body up to this size is received before the request gets a thread
END = b"\r\n\r\n"
CREDENTIALS = re.compile(rb"\r\n(?:cookie|authorization)[ \t]*:")
WAITS = re.compile(rb"\A[^\r\n]*[?&]wait=|\r\nprefer[ \t]*:[^\r\n]*wait")
PROBE = re.compile(rb"(?:GET|HEAD) /(?:healthz|readyz)(?:\?[^ ]*)? HTTP/1\.[01]\r\n")
# These patterns search the head in lower case.
FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)")
LENGTH = re.compile(rb"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Head:
    """Describe the head of a request. size: bytes of the head. body_bytes: announced size; None if unknown.

    is_probe: the request calls a health endpoint, and has neither a body nor credentials, which need a lookup.
    waits: the client asks to wait for the end of a request.
    """

    size: int
    body_bytes: int | None
    is_probe: bool
    waits: bool

    @property
    def ahead_bytes(self) -> int:
        """Return the bytes to receive before the request gets a thread: all, unless the body is large or unbounded."""
        is_small = self.body_bytes is not None and self.body_bytes <= MAX_AHEAD_BYTES
        return self.size + (self.body_bytes or 0) if is_small else self.size

    def is_complete(self, received: int) -> bool:
        """Return True if this number of received bytes completes head and body."""
        return self.body_bytes is not None and received >= self.size + self.body_bytes


def read_head(data: bytes | bytearray, searched: int = 0) -> Head | None:
    """Return the parsed head at the start of `data`; None while its end is missing.

    searched: the number of leading bytes that contain no end.
    """
    end = data.find(END, max(searched - len(END) + 1, 0))
    if end < 0:
        return None
    head = bytes(data[: end + 2])
    lowered = head.lower()
    fields = FRAMING.findall(lowered)
    lengths = [value.strip() for name, value in fields if name == b"content-length"]
    # Several lengths, another framing or "100 Continue": the size is unknown before the body is read.
    is_plain = len(fields) == len(lengths) == 1 and LENGTH.fullmatch(lengths[0]) is not None
    return Head(
        size=end + len(END),
        body_bytes=int(lengths[0]) if is_plain else None if fields else 0,
        is_probe=PROBE.match(head) is not None and not fields and CREDENTIALS.search(lowered) is None,
        waits=b"wait" in lowered and WAITS.search(lowered) is not None,
    )
