"""Read the output of a sandbox in the order of printing, divided by requests.

Two pipes have no common order. So the sandbox writes marks into both: one before Python prints to the other stream or
prints again after a pause, and one after the output of each request, before the answer. Output before a mark in either
pipe was printed before the output after that mark in the other pipe.
"""

import os
from collections.abc import Sequence

READ_SIZE = 262_144
MAX_READS = 64  # of a pipe that is searched for a mark: another process may print without end
MAX_AHEAD_BYTES = 1024 * 1024  # of one stream, while it waits for a mark in the other one
END = b"e"  # the kind of mark after a request's output; the other kinds name the stream that is printed to next

Printed = tuple[str, bytes]  # name of the stream, and bytes


class OutputStream:
    """The worker's end of stdout or stderr. fd: non-blocking. kind: that of the marks before Python prints to it."""

    def __init__(self, name: str, fd: int, mark: bytes) -> None:
        self.name = name
        self.fd = fd
        os.set_blocking(fd, False)
        self.kind = {"stdout": b"1", "stderr": b"2"}[name]
        self.is_open = True
        self._mark = mark
        self._buffer = b""

    @property
    def size(self) -> int:
        """Return the number of bytes that were read and not taken."""
        return len(self._buffer)

    def read(self) -> bool:
        """Read from the pipe; return True if it had output."""
        try:
            data = os.read(self.fd, READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self.is_open = bool(data)
        self._buffer += data
        return self.is_open

    def take_before_mark(self) -> tuple[bytes, bytes]:
        """Take the output before the next mark, and the mark. Return the output and the kind of mark; b"" for no mark.

        The possible beginning of a mark stays in the buffer.
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

    def take_rest(self) -> bytes:
        """Take the rest without marks; it is attributed to the last known request."""
        first, *others = self._buffer.split(self._mark)
        self._buffer = b""
        return first + b"".join(other[1:] for other in others)


class OutputReader:
    """Merge both output streams of one sandbox in the order of printing."""

    def __init__(self, streams: Sequence[OutputStream]) -> None:
        self.streams = tuple(streams)
        self._order = self.streams  # the order of printing since the last mark
        self._at_mark: dict[OutputStream, bytes] = {}  # streams whose next mark was read, with its kind

    def read(self) -> bool:
        """Read both pipes; return True if one had output."""
        return True in [stream.read() for stream in self.streams]

    def take(self) -> list[Printed]:
        """Take the output that has been read, up to the end of the request's output, without waiting."""
        found: list[Printed] = []
        while True:
            for stream in self._order:
                if stream not in self._at_mark:
                    data, kind = stream.take_before_mark()
                    found += [(stream.name, data)] if data else []
                    if kind:
                        self._at_mark[stream] = kind
            if self._is_at_end() or not (self._advance() or self._read_behind()):
                return found

    def take_until_end(self) -> list[Printed]:
        """Take the output up to the end of the request, without waiting.

        The sandbox has written the marks before its answer, so they are in the pipes, unless user code broke those.
        """
        found = self.take()
        for _ in range(MAX_READS):
            if self._is_at_end():
                self._start_section(self.streams)
                return found
            if True not in [stream.read() for stream in self._behind()]:
                break
            found += self.take()
        return found + self.take_rest()

    def take_rest(self) -> list[Printed]:
        """Take the rest, in the order of the remaining marks."""
        found = self.take()
        self._start_section(self.streams)
        return found + [(stream.name, data) for stream in self.streams if (data := stream.take_rest())]

    def _is_at_end(self) -> bool:
        return len(self._at_mark) == len(self.streams) and set(self._at_mark.values()) == {END}

    def _advance(self) -> bool:
        """Go to the next section once all streams have reached the mark; return whether they have."""
        behind = self._behind()
        if behind and max(stream.size for stream in self.streams) <= MAX_AHEAD_BYTES:
            return False
        kinds = set(self._at_mark.values())
        if not kinds or kinds == {END}:
            return False
        if END in kinds:  # one pipe lacks a mark: both meet again at the end
            self._at_mark = {stream: kind for stream, kind in self._at_mark.items() if kind == END}
        else:
            self._start_section(sorted(self.streams, key=lambda stream: stream.kind not in kinds))
        return True

    def _read_behind(self) -> bool:
        """Read from the streams whose mark is still to come; return True if one had output."""
        return bool(self._at_mark) and True in [stream.read() for stream in self._behind()]

    def _behind(self) -> list[OutputStream]:
        """Return the streams that may still bring output before the next mark."""
        return [stream for stream in self.streams if stream not in self._at_mark and stream.is_open]

    def _start_section(self, streams: Sequence[OutputStream]) -> None:
        self._order, self._at_mark = tuple(streams), {}
