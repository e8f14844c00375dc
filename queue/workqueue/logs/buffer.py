"""Cut the output of a function into lines, bounded: beginning and end are kept, the middle is counted."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from workqueue.lifecycle import LogLine

HEAD_BYTES = 512 * 1024  # kept from the beginning of an attempt's output, in bytes of text as they are stored
TAIL_BYTES = 512 * 1024  # kept from its end
HEAD_LINES = TAIL_LINES = 20_000  # a million empty lines are a flood, too
LINE_BYTES = 16 * 1024  # a longer line is broken
OWN = "localfn"  # the stream of the runtime's own lines


@dataclass(slots=True)
class LineBlock:
    """Lines of one stream that were read at once. number: of the first; size: bytes of text as they are stored.

    An object for each line would cost a flood of empty lines some microseconds a byte; a block costs it nanoseconds.
    """

    number: int
    time: datetime
    stream: str
    texts: list[str]
    size: int

    def lines(self) -> list[LogLine]:
        return [LogLine(number, self.time, self.stream, text) for number, text in enumerate(self.texts, self.number)]

    def drop(self, count: int, size: int) -> None:
        """Drop the first lines, which have this size."""
        del self.texts[:count]
        self.number += count
        self.size -= size


class Tail:
    """The last lines of an output, at most TAIL_BYTES and TAIL_LINES."""

    def __init__(self) -> None:
        self.blocks: deque[LineBlock] = deque()
        self.size = self.count = 0

    def add(self, block: LineBlock) -> int:
        """Add lines; return how many others are cut for them."""
        self.blocks.append(block)
        self.size += block.size
        self.count += len(block.texts)
        cut = 0
        while self.size > TAIL_BYTES or self.count > TAIL_LINES:
            cut += self._cut(self.blocks[0])
        return cut

    def _cut(self, first: LineBlock) -> int:
        """Cut as many lines of the first block as the limits ask for; return their number."""
        count, size = len(first.texts), first.size
        if self.size - size > TAIL_BYTES or self.count - count > TAIL_LINES:
            self.blocks.popleft()
        else:
            count = max(self.count - TAIL_LINES, 0)
            size = _stored_size("".join(first.texts[:count]))
            while self.size - size > TAIL_BYTES:
                size += _stored_size(first.texts[count])
                count += 1
            first.drop(count, size)
        self.size -= size
        self.count -= count
        return count


class LogBuffer:
    """Collects the output of one attempt. keep: is given all lines at once, to keep them until they are stored.

    A carriage return begins a line anew, as on a terminal: only what stands behind the last one is kept.
    """

    def __init__(self, keep: Callable[[LineBlock], None] | None = None) -> None:
        self._keep_elsewhere = keep
        self._lock = threading.Lock()  # the loop that reads feeds it, the keeper's thread takes from it
        self._partial: dict[str, tuple[bytes, datetime]] = {}  # lines without an end, and when they were read
        self._fresh: list[LogLine] = []
        self._tail = Tail()
        self._count = 0
        self._head_size = self._head_count = 0
        self._cut = 0

    def feed(self, stream: str, data: bytes, time: datetime) -> None:
        """Take bytes that were read from a stream ("stdout" or "stderr")."""
        before, _ = self._partial.get(stream, (b"", time))
        whole, end, rest = (before + data).rpartition(b"\n")
        pieces: list[bytes] = []
        if end:
            pieces = _visible_lines(self._without_surplus(whole))
        rest = _current(rest)
        while len(rest) > LINE_BYTES:
            place = _boundary(rest, LINE_BYTES)
            pieces.append(rest[:place])
            rest = rest[place:]
        self._add(stream, pieces, time)
        with self._lock:
            self._partial[stream] = (rest, time)

    def add_own_line(self, text: str, time: datetime) -> None:
        """Add a line of the runtime's own, behind all that was printed."""
        self._end_lines(time)
        self._add(OWN, _broken([text.encode()]), time)

    def take_unstored(self) -> list[LogLine]:
        """Return the lines of the head that are not taken yet."""
        with self._lock:
            fresh, self._fresh = self._fresh, []
        return fresh

    def put_back(self, lines: list[LogLine]) -> None:
        """Give the next to take these first: they could not be stored yet."""
        with self._lock:
            self._fresh = lines + self._fresh

    def partial_lines(self) -> list[LogLine]:
        """Return the lines that have no end yet, as they are now: a prompt, a progress bar."""
        with self._lock:
            partial = [(stream, _visible(raw), time) for stream, (raw, time) in self._partial.items()]
        shown = [entry for entry in partial if entry[1]]
        return [LogLine(self._count + 1 + n, time, stream, _text(raw)) for n, (stream, raw, time) in enumerate(shown)]

    def take_rest(self, time: datetime) -> list[LogLine]:
        """Return the rest: the untaken head, a mark where lines were cut, and the tail."""
        self._end_lines(time)
        lines = self.take_unstored()
        blocks = self._tail.blocks
        if self._cut and blocks:
            lines.append(LogLine(blocks[0].number - 1, time, OWN, f"… {self._cut} lines were cut here …"))
        lines.extend(line for block in blocks for line in block.lines())
        # What follows (a cleanup's output) is a log of its own, bounded anew.
        self._tail = Tail()
        self._cut = self._head_size = self._head_count = 0
        return lines

    def _end_lines(self, time: datetime) -> None:
        with self._lock:
            partial, self._partial = self._partial, {}
        for stream, (rest, _) in partial.items():
            if visible := _visible(rest):
                self._add(stream, _broken([visible]), time)

    def _without_surplus(self, whole: bytes) -> bytes:
        """Cut the first lines of a flood that the tail would cut in any case."""
        surplus = whole.count(b"\n") + 1 - TAIL_LINES
        if surplus <= 0 or not self._tail.count:
            return whole
        self._cut += surplus
        self._count += surplus
        return b"\n".join(whole.rsplit(b"\n", TAIL_LINES)[1:])

    def _add(self, stream: str, pieces: list[bytes], time: datetime) -> None:
        if not pieces:
            return
        text = _text(b"\n".join(pieces))
        texts = text.split("\n")
        block = LineBlock(self._count + 1, time, stream, texts, _stored_size(text) - len(texts) + 1)
        self._count += len(texts)
        if self._keep_elsewhere is not None:
            self._keep_elsewhere(block)
        if not self._tail.count:
            self._move_to_head(block)
        if block.texts:
            self._cut += self._tail.add(block)

    def _move_to_head(self, block: LineBlock) -> None:
        count = size = 0
        for text in block.texts:
            more = _stored_size(text)
            if self._head_size + size + more > HEAD_BYTES or self._head_count + count >= HEAD_LINES:
                break
            count, size = count + 1, size + more
        with self._lock:
            self._fresh += block.lines()[:count]
        self._head_size += size
        self._head_count += count
        block.drop(count, size)


def _stored_size(text: str) -> int:
    # As stored: a byte that is no UTF-8 takes three.
    return len(text) if text.isascii() else len(text.encode())


def _visible_lines(whole: bytes) -> list[bytes]:
    """Return the visible parts of lines; long ones are broken."""
    lines = whole.split(b"\n")
    return _broken([_visible(line) for line in lines] if b"\r" in whole else lines)


def _broken(lines: list[bytes]) -> list[bytes]:
    """Return lines of at most LINE_BYTES."""
    if max(map(len, lines)) <= LINE_BYTES:
        return lines
    pieces = []
    for line in lines:
        start = 0
        while (end := _boundary(line, start + LINE_BYTES)) < len(line):
            pieces.append(line[start:end])
            start = end
        pieces.append(line[start:])
    return pieces


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
