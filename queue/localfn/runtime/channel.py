"""Connect a sandbox to the runtime: a socket for frames, start tokens, and marks in the output."""

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
    """Send and receive frames for this process only, never for a child that user code forked.

    control: descriptor of the socket for frames. tokens: descriptor of the socket for start tokens.
    max_body: bytes of the largest body.
    """

    def __init__(self, control: int, tokens: int, max_body: int) -> None:
        self.socket = socket.socket(fileno=move_descriptor(control))
        self._tokens = socket.socket(fileno=move_descriptor(tokens))
        self.marks = OrderMarks()
        self.reader = frames.Reader(max_body)
        self.owner = os.getpid()
        self._lock = threading.Lock()  # user code may report progress from several threads
        self._token: int | None = None  # received and not used yet

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        self.exit_if_forked()
        return frames.read(self.socket, self.reader)

    def exit_if_forked(self) -> None:
        """End this process if user code forked it: a copy must not read frames meant for its parent."""
        if os.getpid() != self.owner:
            flush()
            os._exit(0)

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        if os.getpid() == self.owner:
            with self._lock:
                frames.write(self.socket, head, body)

    def answer(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send the last frame of a request, after all of its output."""
        if os.getpid() != self.owner:
            return
        flush()
        self.marks.end()
        self.send(head, body)

    def take_start_token(self, generation: int) -> bool:
        """Return True if the next request of this generation may start.

        The runtime grants one token per request, and may revoke it before the request starts. A token of another
        generation belongs to the next batch: the current one was recalled.
        """
        if self._token is None:
            with contextlib.suppress(BlockingIOError):
                self._token = next(iter(self._tokens.recv(1, socket.MSG_DONTWAIT)), None)
        is_granted = self._token == generation
        if is_granted:
            self._token = None
        return is_granted


def move_descriptor(fd: int) -> int:
    """Move a descriptor to a high number, close-on-exec, and return it."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LOWEST_FD)
    os.close(fd)
    return high


def open_cached(path: str, flags: int) -> int | None:
    """Open a file for good with a high descriptor number; return None if it cannot be opened."""
    try:
        return move_descriptor(os.open(path, flags | os.O_CLOEXEC))
    except OSError:
        return None
