"""What a function printed, cut into lines, bounded: the beginning and the end are kept, the middle is counted."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

HEAD_BYTES = 512 * 1024  # kept from the beginning of an attempt's output
TAIL_BYTES = 512 * 1024  # kept from its end
LINE_BYTES = 16 * 1024  # a longer line is broken
ROW_BYTES = 64  # what a line costs beside its text: a million empty lines are a flood, too


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    time: datetime
    stream: str
    line: str


class Logbook:
    """Collects the output of one attempt. keep: is given each line at once, to keep it until it is stored."""

    def __init__(self, keep: Callable[[Sequence[Line]], None] | None = None) -> None:
        self._keep_elsewhere = keep
        self._news: list[Line] = []
        self._lock = threading.Lock()  # the loop that reads feeds it, the keeper's thread takes from it
        self._partial: dict[str, bytes] = {}
        self._fresh: list[Line] = []
        self._tail: deque[Line] = deque()
        self._count = 0
        self._head_size = 0
        self._tail_size = 0
        self._cut = 0

    def feed(self, stream: str, data: bytes, time: datetime) -> None:
        """Takes what was just read from a stream ("stdout" or "stderr")."""
        *lines, rest = (self._partial.get(stream, b"") + data).split(b"\n")
        for line in lines:
            self._add(stream, line, time)
        while len(rest) > LINE_BYTES:
            self._add(stream, rest[:LINE_BYTES], time)
            rest = rest[LINE_BYTES:]
        self._partial[stream] = rest
        self._pass_on()

    def say(self, text: str, time: datetime) -> None:
        """Add a line of the runtime's own, behind all that was printed."""
        self._end_lines(time)
        self._add("localfn", text.encode(), time)
        self._pass_on()

    def take(self) -> list[Line]:
        """The lines of the head that nobody has taken yet."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
        return fresh

    def put_back(self, lines: list[Line]) -> None:
        """They could not be stored yet: the next to take gets them first."""
        with self._lock:
            self._fresh = lines + self._fresh

    def close(self, time: datetime) -> list[Line]:
        """The rest: the untaken head, a mark where lines were cut, and the tail."""
        self._end_lines(time)
        self._pass_on()
        lines = self.take()
        if self._cut and self._tail:
            number = self._tail[0].number - 1
            lines.append(Line(number, time, "localfn", f"… {self._cut} lines were cut here …"))
        lines.extend(self._tail)
        # What follows (a cleanup's output) is a log of its own, bounded anew.
        self._tail.clear()
        self._cut = self._tail_size = self._head_size = 0
        return lines

    def _end_lines(self, time: datetime) -> None:
        for stream, rest in self._partial.items():
            if rest:
                self._add(stream, rest, time)
        self._partial = {}

    def _add(self, stream: str, raw: bytes, time: datetime) -> None:
        for start in range(0, max(len(raw), 1), LINE_BYTES):
            piece = raw[start : start + LINE_BYTES]
            self._count += 1
            # PostgreSQL cannot store U+0000: its visible symbol stands in for it.
            text = piece.decode("utf-8", "replace").replace("\0", "\u2400").rstrip("\r")
            line = Line(self._count, time, stream, text)
            self._keep(line, len(piece) + ROW_BYTES)
            if self._keep_elsewhere is not None:
                self._news.append(line)

    def _pass_on(self) -> None:
        if self._news and self._keep_elsewhere is not None:
            self._keep_elsewhere(self._news)
            self._news = []

    def _keep(self, line: Line, size: int) -> None:
        if self._head_size + size <= HEAD_BYTES and not self._tail:
            self._head_size += size
            with self._lock:
                self._fresh.append(line)
            return
        self._tail.append(line)
        self._tail_size += size
        while self._tail_size > TAIL_BYTES and len(self._tail) > 1:
            gone = self._tail.popleft()
            self._tail_size -= len(gone.line.encode()) + ROW_BYTES
            self._cut += 1
