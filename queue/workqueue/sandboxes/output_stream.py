"""Read the output of a sandbox in the order of printing, cut at the end of each request's output.

Two pipes tell no order between them. The sandbox therefore writes marks into both (localfn/printing.py): one before
Python prints to the other stream, or prints again after a pause, and one behind the output of each request, before it
answers. All that stands before a mark in either pipe was printed before all that stands behind it in the other.
"""

import os
import select
import time
from collections.abc import Sequence

READ_SIZE = 262_144
MARK_WAIT_S = 0.5  # an answer came, its mark did not: user code broke the pipe
MAX_AHEAD_BYTES = 1024 * 1024  # bytes of one stream that wait for a mark in the other one
END = b"e"  # the kind of the mark behind the output of a request; the others name the stream that is printed to

Printed = tuple[str, bytes]  # name of the stream, and bytes


class OutputStream:
    """Our end of a sandbox's stdout or stderr. fd: does not block. kind: of the marks before Python prints to it."""

    def __init__(self, name: str, fd: int, mark: bytes) -> None:
        self.name = name
        self.fd = fd
        self.kind = {"stdout": b"1", "stderr": b"2"}[name]
        self.is_open = True
        self._mark = mark
        self._buffer = b""

    @property
    def size(self) -> int:
        """Bytes that were read and not taken."""
        return len(self._buffer)

    def read(self) -> bool:
        """Read the pipe empty; tell whether anything came."""
        try:
            data = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self.is_open = bool(data)
        self._buffer += data
        return self.is_open

    def before_mark(self) -> tuple[bytes, bytes]:
        """Take what stands before the next mark, and the mark; return it with the kind of the mark, b"" without one.

        What may be the beginning of a mark stays.
        """
        at, size = self._buffer.find(self._mark), len(self._mark)
        if at < 0:
            start = self._buffer.rfind(self._mark[:1])
            at = start if start >= 0 and self._mark.startswith(self._buffer[start:]) else len(self._buffer)
            size = 0
        end = at + size
        kind = self._buffer[end : end + 1] if size else b""
        found, self._buffer = self._buffer[:at], self._buffer[end + 1 if kind else at :]
        return found, kind

    def rest(self) -> bytes:
        """Take the rest, without marks: it belongs to the request that is known last."""
        first, *others = self._buffer.split(self._mark)
        self._buffer = b""
        return first + b"".join(other[1:] for other in others)


class OutputReader:
    """Both streams of one sandbox."""

    def __init__(self, streams: Sequence[OutputStream]) -> None:
        self.streams = tuple(streams)
        self._begun = self.streams  # in the order in which they were printed to since the last mark
        self._passed: dict[OutputStream, bytes] = {}  # those whose next mark was read, and its kind

    def read(self) -> bool:
        """Read both pipes; tell whether anything came."""
        return True in [stream.read() for stream in self.streams]

    def take(self) -> list[Printed]:
        """Take the output that has been read, up to the end of the request's output; wait for nothing."""
        found: list[Printed] = []
        while True:
            for stream in self._begun:
                if stream not in self._passed:
                    data, kind = stream.before_mark()
                    found += [(stream.name, data)] if data else []
                    if kind:
                        self._passed[stream] = kind
            if self._is_at_end() or not (self._goes_on() or self._reads_on()):
                return found

    def until_end(self) -> list[Printed]:
        """Take the output before the next end; its marks are in the pipes, unless user code broke them."""
        ends_at = time.monotonic() + MARK_WAIT_S
        found = self.take()
        while not self._is_at_end():
            remaining_s, waiting = ends_at - time.monotonic(), self._behind()
            if remaining_s <= 0 or not waiting:
                return found + self.rest()
            ready, _, _ = select.select([stream.fd for stream in waiting], [], [], remaining_s)
            for stream in waiting:
                if stream.fd in ready:
                    stream.read()
            found += self.take()
        self._begin(self.streams)
        return found

    def rest(self) -> list[Printed]:
        """Take the rest, in order as far as marks tell it."""
        found = self.take()
        self._begin(self.streams)
        return found + [(stream.name, data) for stream in self.streams if (data := stream.rest())]

    def _is_at_end(self) -> bool:
        return len(self._passed) == len(self.streams) and set(self._passed.values()) == {END}

    def _goes_on(self) -> bool:
        """Go behind the mark that all have passed, if they have."""
        behind = self._behind()
        if behind and max(stream.size for stream in self.streams) <= MAX_AHEAD_BYTES:
            return False
        kinds = set(self._passed.values())
        if not kinds or kinds == {END}:
            return False
        if END in kinds:  # a mark is missing in one of the pipes: they are together again at the end
            self._passed = {stream: kind for stream, kind in self._passed.items() if kind == END}
        else:
            self._begin(sorted(self.streams, key=lambda stream: stream.kind not in kinds))
        return True

    def _reads_on(self) -> bool:
        """Read from those whose mark is on its way; tell whether anything came."""
        return bool(self._passed) and True in [stream.read() for stream in self._behind()]

    def _behind(self) -> list[OutputStream]:
        """Return the streams that may still bring output before the next mark."""
        return [stream for stream in self.streams if stream not in self._passed and stream.is_open]

    def _begin(self, streams: Sequence[OutputStream]) -> None:
        self._begun, self._passed = tuple(streams), {}
