"""Decompress a gzip body while it is read; reject any other Content-Encoding."""

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
    """Replace a gzip body by its decompressed stream. The reader of the stream bounds the decompressed size.

    max_bytes: the limit of the compressed body.
    Raises 415 for another Content-Encoding. Reading the stream raises 400 for invalid gzip, and 413.
    """
    name = request.headers.get("Content-Encoding", "").strip().lower()
    if name in PLAIN:
        return
    if name not in GZIP:
        detail = f"The Content-Encoding {name!r} is not supported; send gzip, or an uncompressed body."
        raise BadRequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept-Encoding": "gzip"})
    environ = request.environ
    source = get_input_stream(environ, max_content_length=max_bytes + 1)
    environ["wsgi.input"] = io.BufferedReader(_GzipBody(source, max_bytes), CHUNK)
    environ["wsgi.input_terminated"] = True
    environ.pop("CONTENT_LENGTH", None)
    environ.pop("HTTP_CONTENT_ENCODING", None)  # the body is no longer encoded


class _GzipBody(io.RawIOBase):
    """Decompress a gzip body of one or several members."""

    def __init__(self, source: IO[bytes], max_bytes: int) -> None:
        self._source, self._left = source, max_bytes
        self._member: Any = zlib.decompressobj(GZIP_FORMAT)
        self._pending, self._has_started = b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._next(len(buffer))
        except zlib.error as error:
            raise BadEventError(
                f"The body is not valid gzip: {error}. Send gzip, or remove Content-Encoding."
            ) from None
        buffer[: len(data)] = data
        return len(data)

    def _next(self, max_bytes: int) -> bytes:
        """Return up to `max_bytes` bytes; empty at the end."""
        while True:
            if not self._pending and not self._refill():
                return self._end()
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP_FORMAT)
            data: bytes = self._member.decompress(self._pending, max_bytes)
            self._pending = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._has_started = True
            if data:
                return data

    def _refill(self) -> bool:
        self._pending = self._source.read(CHUNK)
        self._left -= len(self._pending)
        if self._left < 0:
            raise EventTooLargeError("The compressed body is larger than the limit of the decompressed one.")
        return bool(self._pending)

    def _end(self) -> bytes:
        if self._has_started and not self._member.eof:
            raise BadEventError("The gzip body is incomplete; send all of it.")
        return b""
