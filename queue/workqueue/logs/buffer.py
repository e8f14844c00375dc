"""Split the output of an attempt into lines, bounded in size: head and tail are kept, lines between are counted."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from workqueue.lifecycle import LogLine

HEAD_BYTES = 512 * 1024  # kept from the start of an attempt's output, in bytes of text as stored
TAIL_BYTES = 512 * 1024  # kept from the end
HEAD_LINES = TAIL_LINES = 20_000  # a limit of bytes alone would keep a million empty lines
MAX_LINE_BYTES = 16 * 1024  # a longer line is split
RUNTIME_STREAM = "localfn"  # the stream of lines that the runtime adds


@dataclass(slots=True)
class LineBlock:
    """Hold lines of one stream that were read at once. number: that of the first line; size: bytes of text as stored.

    A function may print a flood of empty lines: an object for each would cost microseconds a byte, a block nanoseconds.
    """

    number: int
    time: datetime
    stream: str
    texts: list[str]
    size: int

    def lines(self) -> list[LogLine]:
        """Return the lines of the block."""
        return [LogLine(number, self.time, self.stream, text) for number, text in enumerate(self.texts, self.number)]

    def drop(self, count: int, size: int) -> None:
        """Drop the first `count` lines, which have this size."""
        del self.texts[:count]
        self.number += count
        self.size -= size


class Tail:
    """Keep the last lines of an output, at most TAIL_BYTES and TAIL_LINES."""

    def __init__(self) -> None:
        self.blocks: deque[LineBlock] = deque()
        self.size = self.count = 0

    def add(self, block: LineBlock) -> int:
        """Add lines; return how many older lines are dropped for them."""
        self.blocks.append(block)
        self.size += block.size
        self.count += len(block.texts)
        cut = 0
        while self.size > TAIL_BYTES or self.count > TAIL_LINES:
            cut += self._cut(self.blocks[0])
        return cut

    def _cut(self, first: LineBlock) -> int:
        """Drop as many lines of the first block as the limits require; return their number."""
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
    """Collect the output of one attempt. spool: gets every block of lines at once, and keeps it until it is stored.

    A carriage return starts a line again, as on a terminal: only the text after the last one is kept.
    """

    def __init__(self, spool: Callable[[LineBlock], None] | None = None) -> None:
        self._spool = spool
        self._lock = threading.Lock()  # the worker's thread feeds, the lease renewer's takes
        self._partial: dict[str, tuple[bytes, datetime]] = {}  # incomplete lines, and when they were read
        self._unstored: list[LogLine] = []
        self._tail = Tail()
        self._count = 0
        self._head_size = self._head_count = 0
        self._cut = 0

    def feed(self, stream: str, data: bytes, time: datetime) -> None:
        """Add bytes that were read from a stream ("stdout" or "stderr")."""
        before, _ = self._partial.get(stream, (b"", time))
        whole, end, rest = (before + data).rpartition(b"\n")
        pieces: list[bytes] = []
        if end:
            pieces = _visible_lines(self._drop_surplus(whole))
        rest = _drop_overwritten(rest)
        while len(rest) > MAX_LINE_BYTES:
            end_of_piece = _boundary(rest, MAX_LINE_BYTES)
            pieces.append(rest[:end_of_piece])
            rest = rest[end_of_piece:]
        self._add(stream, pieces, time)
        with self._lock:
            self._partial[stream] = (rest, time)

    def add_own_line(self, text: str, time: datetime) -> None:
        """Add a line of the runtime after all printed lines."""
        self._end_lines(time)
        self._add(RUNTIME_STREAM, _split_long([text.encode()]), time)

    def take_unstored(self) -> list[LogLine]:
        """Return the lines of the head that were not returned before."""
        with self._lock:
            unstored, self._unstored = self._unstored, []
        return unstored

    def put_back(self, lines: list[LogLine]) -> None:
        """Put lines back that could not be stored: the next call of `take_unstored` returns them first."""
        with self._lock:
            self._unstored = lines + self._unstored

    def partial_lines(self) -> list[LogLine]:
        """Return incomplete lines as they are now, such as a prompt or a progress bar."""
        with self._lock:
            partial = [(stream, _visible(raw), time) for stream, (raw, time) in self._partial.items()]
        visible = [entry for entry in partial if entry[1]]
        return [LogLine(self._count + 1 + n, time, stream, _text(raw)) for n, (stream, raw, time) in enumerate(visible)]

    def take_rest(self, time: datetime) -> list[LogLine]:
        """Return all remaining lines: the rest of the head, a mark where lines were dropped, and the tail."""
        self._end_lines(time)
        lines = self.take_unstored()
        blocks = self._tail.blocks
        if self._cut and blocks:
            lines.append(LogLine(blocks[0].number - 1, time, RUNTIME_STREAM, f"… {self._cut} lines were cut here …"))
        lines.extend(line for block in blocks for line in block.lines())
        # Output that follows, of a cleanup, has a head and a tail of its own.
        self._tail = Tail()
        self._cut = self._head_size = self._head_count = 0
        return lines

    def _end_lines(self, time: datetime) -> None:
        with self._lock:
            partial, self._partial = self._partial, {}
        for stream, (rest, _) in partial.items():
            if visible := _visible(rest):
                self._add(stream, _split_long([visible]), time)

    def _drop_surplus(self, whole: bytes) -> bytes:
        """Drop the first lines of a flood, which the tail would drop anyway."""
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
        if self._spool is not None:
            self._spool(block)
        if not self._tail.count:
            self._move_to_head(block)
        if block.texts:
            self._cut += self._tail.add(block)

    def _move_to_head(self, block: LineBlock) -> None:
        """Move lines into the head until it is full; the rest of the block is for the tail."""
        count = size = 0
        for text in block.texts:
            more = _stored_size(text)
            if self._head_size + size + more > HEAD_BYTES or self._head_count + count >= HEAD_LINES:
                break
            count, size = count + 1, size + more
        with self._lock:
            self._unstored += block.lines()[:count]
        self._head_size += size
        self._head_count += count
        block.drop(count, size)


def _stored_size(text: str) -> int:
    # Bytes that are not UTF-8 are stored as U+FFFD, which takes three.
    return len(text) if text.isascii() else len(text.encode())


def _visible_lines(whole: bytes) -> list[bytes]:
    """Return the visible parts of lines; long ones are split."""
    lines = whole.split(b"\n")
    return _split_long([_visible(line) for line in lines] if b"\r" in whole else lines)


def _split_long(lines: list[bytes]) -> list[bytes]:
    """Return lines of at most MAX_LINE_BYTES each."""
    if max(map(len, lines)) <= MAX_LINE_BYTES:
        return lines
    pieces = []
    for line in lines:
        start = 0
        while (end := _boundary(line, start + MAX_LINE_BYTES)) < len(line):
            pieces.append(line[start:end])
            start = end
        pieces.append(line[start:])
    return pieces


def _drop_overwritten(raw: bytes) -> bytes:
    """Drop the overwritten part of an incomplete line. A carriage return at its end overwrites nothing yet."""
    written = raw.rstrip(b"\r")
    start = written.rfind(b"\r") + 1
    return written[start:] + (b"\r" if len(written) < len(raw) else b"")


def _visible(raw: bytes) -> bytes:
    """Return the visible part of a complete line: the last of the texts that overwrite each other."""
    written = raw.rstrip(b"\r")
    return written[written.rfind(b"\r") + 1 :]


def _text(raw: bytes) -> str:
    # PostgreSQL cannot store U+0000: replace it by its visible symbol.
    return raw.decode("utf-8", "replace").replace("\0", "\u2400")


def _boundary(raw: bytes, index: int) -> int:
    """Return `index`, or the last index before it that does not split a UTF-8 character."""
    if index >= len(raw):
        return len(raw)
    for back in range(4):
        if raw[index - back] & 0xC0 != 0x80:  # the first byte of a character
            return index - back
    return index  # not UTF-8
