"""Receive bodies into temporary files: a body takes memory once it is complete, not while a client sends it."""

import io
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from flask import g

from handlers.http import memory_budget
from handlers.http.problems import OverloadedError
from handlers.services import get_services

IN_MEMORY_BYTES = 64 * 1024
MAX_BODIES_OF_SENDER = 8  # half of the bodies that a process receives concurrently


def receive_body(stream: IO[bytes], max_bytes: int, weight: int) -> bytes:
    """Return the first `max_bytes` + 1 bytes of a stream.

    weight: memory to reserve for a large body, as a multiple of its bytes. Raises OverloadedError.
    """
    first = stream.read(min(IN_MEMORY_BYTES, max_bytes) + 1)
    if len(first) <= min(IN_MEMORY_BYTES, max_bytes):
        memory_budget.reserve(len(first) * weight)
        return first
    with SENDERS.sending(current_sender()), tempfile.TemporaryFile() as spool:
        size = spool.write(first)
        while size <= max_bytes and (chunk := stream.read(min(IN_MEMORY_BYTES, max_bytes + 1 - size))):
            size += spool.write(chunk)
        memory_budget.reserve(size * weight)
        spool.seek(0)
        return spool.read()


class Senders:
    """Count the large bodies that this process receives, by sender; safe for threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def sending(self, sender: str | None) -> Iterator[None]:
        """Count a body while it arrives. sender: None is not limited. Raises OverloadedError."""
        if sender is None:
            yield
            return
        with self._lock:
            if self._counts[sender] >= MAX_BODIES_OF_SENDER:
                raise OverloadedError(
                    f"{sender!r} is sending {MAX_BODIES_OF_SENDER} large bodies already; try again later."
                )
            self._counts[sender] += 1
        try:
            yield
        finally:
            with self._lock:
                self._counts[sender] -= 1
                self._counts += Counter()  # removes senders without a body


SENDERS = Senders()


def current_sender() -> str | None:
    """Return the actor of this call; None without login, where all clients are the same actor."""
    return str(g.actor) if get_services().access.needs_login else None


class Spool:
    """Store all parts of a body in one temporary file: a thousand parts need one descriptor."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
        self.size = 0

    def add_part(
        self,
        total_content_length: int | None = None,
        content_type: str | None = None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        """Start a part; the previous one has ended. The arguments are those of werkzeug's stream factories."""
        del total_content_length, content_type, filename, content_length
        return cast("IO[bytes]", Part(self))

    def append(self, data: Any) -> int:
        written = os.pwrite(self._file.fileno(), data, self.size)
        self.size += written
        return written

    def read(self, size: int, offset: int) -> bytes:
        return os.pread(self._file.fileno(), size, offset)

    def close(self) -> None:
        self._file.close()


class Part(io.RawIOBase):
    """A part of the spool: written first, read later."""

    def __init__(self, spool: Spool) -> None:
        self._spool, self._start = spool, spool.size
        self._size = self._position = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        written = self._spool.append(data)
        self._size += written
        self._position = self._size
        return written

    def readinto(self, buffer: Any) -> int:
        data = self._spool.read(min(len(buffer), self._size - self._position), self._start + self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = max({io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence] + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position
