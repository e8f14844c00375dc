"""The sandbox's end of what ties it to the runtime: a socket for frames, turns, and marks in its output."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
from typing import Any

from localfn.runtime import frames
from localfn.runtime.output_order import LOWEST_FD, OrderMarks, flush


class Channel:
    """Only this process may speak on it, never a child that user code forked.

    marks: what is written into the output, so that the runtime can tell one request's from the next one's.
    """

    def __init__(self, control: int, turns: int, max_body: int) -> None:
        self.socket = socket.socket(fileno=move_descriptor(control))
        self._turns = socket.socket(fileno=move_descriptor(turns))
        self.marks = OrderMarks()
        self.reader = frames.Reader(max_body)
        self.owner = os.getpid()
        self._lock = threading.Lock()  # user code may report progress from several threads
        self._turn: int | None = None  # taken out, and not used yet

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        self.end_copy()
        return frames.read(self.socket, self.reader)

    def end_copy(self) -> None:
        """User code forked, and its child came back to us: it must not take what is meant for its parent."""
        if os.getpid() != self.owner:
            flush()
            os._exit(0)

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        if os.getpid() == self.owner:
            with self._lock:
                frames.write(self.socket, head, body)

    def answer(self, head: dict[str, Any], body: bytes = b"") -> None:
        """The last word on a request: all that it printed is behind it."""
        if os.getpid() != self.owner:
            return
        flush()
        self.marks.end()
        self.send(head, body)

    def take_start_token(self, round_: int) -> bool:
        """Whether the next request of this round may begin: the runtime puts in a turn for each, and may take it out.

        A turn of another round is one of the next: this one was called back before we came to it.
        """
        if self._turn is None:
            with contextlib.suppress(BlockingIOError):
                self._turn = next(iter(self._turns.recv(1, socket.MSG_DONTWAIT)), None)
        mine = self._turn == round_
        if mine:
            self._turn = None
        return mine


def move_descriptor(fd: int) -> int:
    """The same descriptor with a high number; programs that are started do not get it."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LOWEST_FD)
    os.close(fd)
    return high


def open_cached(path: str, flags: int) -> int | None:
    """A file that is kept open, out of the way of user code; None where there is none, or it is not permitted."""
    try:
        return move_descriptor(os.open(path, flags | os.O_CLOEXEC))
    except OSError:
        return None
