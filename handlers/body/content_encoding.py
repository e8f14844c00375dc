"""Decompress a gzip body while it is read; refuse every other Content-Encoding by name."""

import io
import zlib
from http import HTTPStatus
from typing import IO, Any

from flask import request
from werkzeug.wsgi import get_input_stream

from handlers.http.problems import BadRequestError
from workqueue.errors import BadEventError, EventTooLargeError

PLAIN, GZIP = ("", "identity"), ("gzip", "x-gzip")
GZIP_FORMAT = 16 + zlib.MAX_WBITS
CHUNK = 64 * 1024


def decompress(max_bytes: int) -> None:
    """Put the decompressed body in place of a compressed one, whose reader bounds its size.

    max_bytes: of the compressed body; what takes more than the decompressed one may have is refused as well.
    Raises 415 for another Content-Encoding; the reader raises 400 for what is not gzip, and 413.
    """
    name = request.headers.get("Content-Encoding", "").strip().lower()
    if name in PLAIN:
        return
    if name not in GZIP:
        detail = f"The Content-Encoding {name!r} is not supported; send gzip, or leave the body as it is."
        raise BadRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Encoding": "gzip"})
    environ = request.environ
    source = get_input_stream(environ, max_content_length=max_bytes + 1)
    environ["wsgi.input"] = io.BufferedReader(_GzipBody(source, max_bytes), CHUNK)
    environ["wsgi.input_terminated"] = True
    environ.pop("CONTENT_LENGTH", None)
    environ.pop("HTTP_CONTENT_ENCODING", None)  # it is read once


class _GzipBody(io.RawIOBase):
    """A gzip body, one member or several, as what it holds."""

    def __init__(self, source: IO[bytes], max_bytes: int) -> None:
        self._source, self._left = source, max_bytes
        self._member: Any = zlib.decompressobj(GZIP_FORMAT)
        self._pending, self._is_begun = b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            found = self._next(len(buffer))
        except zlib.error as error:
            raise BadEventError(f"The body is not gzip, which its Content-Encoding names: {error}.") from None
        buffer[: len(found)] = found
        return len(found)

    def _next(self, room: int) -> bytes:
        """Return up to `room` bytes; none at the end."""
        while True:
            if not self._pending and not self._refill():
                return self._end()
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP_FORMAT)
            found: bytes = self._member.decompress(self._pending, room)
            self._pending = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._is_begun = True
            if found:
                return found

    def _refill(self) -> bool:
        self._pending = self._source.read(CHUNK)
        self._left -= len(self._pending)
        if self._left < 0:
            raise EventTooLargeError("The compressed body is larger than the decompressed one may be.")
        return bool(self._pending)

    def _end(self) -> bytes:
        if self._is_begun and not self._member.eof:
            raise BadEventError("The gzip body is cut off.")
        return b""
