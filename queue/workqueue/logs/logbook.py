"""Cut the output of a function into lines, bounded: beginning and end are kept, the middle is counted."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

HEAD_BYTES = 512 * 1024  # kept from the beginning of an attempt's output, in bytes of text as they are stored
TAIL_BYTES = 512 * 1024  # kept from its end
HEAD_LINES = TAIL_LINES = 20_000  # a million empty lines are a flood, too
LINE_BYTES = 16 * 1024  # a longer line is broken
BATCH_LINES = 1_000  # passed on to `keep` at once
OWN = "localfn"  # the stream of the runtime's own lines


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    time: datetime
    stream: str
    line: str


class Logbook:
    """Collects the output of one attempt. keep: is given each line at once, to keep it until it is stored.

    A carriage return begins a line anew, as on a terminal: only what stands behind the last one is kept.
    """

    def __init__(self, keep: Callable[[Sequence[Line]], None] | None = None) -> None:
        self._keep_elsewhere = keep
        self._news: list[Line] = []
        self._lock = threading.Lock()  # the loop that reads feeds it, the keeper's thread takes from it
        self._partial: dict[str, tuple[bytes, datetime]] = {}  # lines without an end, and when they were read
        self._fresh: list[Line] = []
        self._tail: deque[tuple[Line, int]] = deque()
        self._count = 0
        self._head_size = self._head_count = 0
        self._tail_size = 0
        self._cut = 0

    def feed(self, stream: str, data: bytes, time: datetime) -> None:
        """Take bytes that were read from a stream ("stdout" or "stderr")."""
        before, _ = self._partial.get(stream, (b"", time))
        *lines, rest = (before + data).split(b"\n")
        if self._tail and len(lines) > TAIL_LINES:  # a flood: the first of them would be cut in any case
            gone = len(lines) - TAIL_LINES
            self._cut, self._count, lines = self._cut + gone, self._count + gone, lines[gone:]
        for line in lines:
            self._add(stream, _visible(line), time)
        rest = _current(rest)
        while len(rest) > LINE_BYTES:
            end = _boundary(rest, LINE_BYTES)
            self._add(stream, rest[:end], time)
            rest = rest[end:]
        with self._lock:
            self._partial[stream] = (rest, time)
        self._pass_on()

    def say(self, text: str, time: datetime) -> None:
        """Add a line of the runtime's own, behind all that was printed."""
        self._end_lines(time)
        self._add(OWN, text.encode(), time)
        self._pass_on()

    def take(self) -> list[Line]:
        """Return the lines of the head that are not taken yet."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
        return fresh

    def put_back(self, lines: list[Line]) -> None:
        """Give the next to take these first: they could not be stored yet."""
        with self._lock:
            self._fresh = lines + self._fresh

    def current(self) -> list[Line]:
        """Return the lines that have no end yet, as they are now: a prompt, a progress bar."""
        with self._lock:
            partial = [(stream, _visible(raw), time) for stream, (raw, time) in self._partial.items()]
        shown = [entry for entry in partial if entry[1]]
        return [Line(self._count + 1 + n, time, stream, _text(raw)) for n, (stream, raw, time) in enumerate(shown)]

    def close(self, time: datetime) -> list[Line]:
        """Return the rest: the untaken head, a mark where lines were cut, and the tail."""
        self._end_lines(time)
        self._pass_on()
        lines = self.take()
        if self._cut and self._tail:
            number = self._tail[0][0].number - 1
            lines.append(Line(number, time, OWN, f"… {self._cut} lines were cut here …"))
        lines.extend(line for line, _ in self._tail)
        # What follows (a cleanup's output) is a log of its own, bounded anew.
        self._tail.clear()
        self._cut = self._tail_size = self._head_size = self._head_count = 0
        return lines

    def _end_lines(self, time: datetime) -> None:
        with self._lock:
            partial, self._partial = self._partial, {}
        for stream, (rest, _) in partial.items():
            if visible := _visible(rest):
                self._add(stream, visible, time)

    def _add(self, stream: str, raw: bytes, time: datetime) -> None:
        start = 0
        while True:
            end = _boundary(raw, start + LINE_BYTES)
            self._count += 1
            line = Line(self._count, time, stream, _text(raw[start:end]))
            self._keep(line)
            if self._keep_elsewhere is not None:
                self._news.append(line)
                if len(self._news) >= BATCH_LINES:
                    self._pass_on()
            if (start := end) >= len(raw):
                return

    def _pass_on(self) -> None:
        if self._news and self._keep_elsewhere is not None:
            self._keep_elsewhere(self._news)
            self._news = []

    def _keep(self, line: Line) -> None:
        # As stored: a byte that is no UTF-8 takes three.
        size = len(line.line) if line.line.isascii() else len(line.line.encode())
        if not self._tail and self._head_size + size <= HEAD_BYTES and self._head_count < HEAD_LINES:
            self._head_size += size
            self._head_count += 1
            with self._lock:
                self._fresh.append(line)
            return
        self._tail.append((line, size))
        self._tail_size += size
        while self._tail_size > TAIL_BYTES or len(self._tail) > TAIL_LINES:
            _, gone = self._tail.popleft()
            self._tail_size -= gone
            self._cut += 1


def _current(raw: bytes) -> bytes:
    """Drop the overwritten part of a line that goes on. A carriage return at its end overwrites nothing yet."""
    written = raw.rstrip(b"\r")
    start = written.rfind(b"\r") + 1
    return written[start:] + (b"\r" if len(written) < len(raw) else b"")


def _visible(raw: bytes) -> bytes:
    """Return the visible part of a line: the last of the texts that overwrite each other."""
    written = raw.rstrip(b"\r")
    return written[written.rfind(b"\r") + 1 :]


def _text(raw: bytes) -> str:
    # PostgreSQL cannot store U+0000: its visible symbol stands in for it.
    return raw.decode("utf-8", "replace").replace("\0", "\u2400")


def _boundary(raw: bytes, place: int) -> int:
    """Return the last place up to this one between two characters of UTF-8."""
    if place >= len(raw):
        return len(raw)
    for back in range(4):
        if raw[place - back] & 0xC0 != 0x80:  # the first byte of a character
            return place - back
    return place  # it is no UTF-8
