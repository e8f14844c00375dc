"""One sandbox, seen from the worker that drives it: send a request, poll for what comes back, end it.

The process itself belongs to the sandbox host, which lends it (sandbox_host.py). The frames are localfn.frames.
"""

import os
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localfn import frames
from workqueue import process_tree

READ_SIZE = 262_144
DRAIN_S = 0.5  # at most so long is output read that a dead sandbox left behind in its pipes


@dataclass(frozen=True, slots=True)
class Frame:
    """A message from the sandbox: its head, and a body of JSON text."""

    head: dict[str, Any]
    body: bytes

    @property
    def type(self) -> str:
        return str(self.head["type"])


@dataclass(frozen=True, slots=True)
class Output:
    """Something that was printed."""

    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Gone:
    """The sandbox has ended, or what it sends makes no sense any more."""


News = Frame | Output | Gone


class Sandbox:
    """A child interpreter on loan. ready: what it said of its function, or None while it still imports."""

    def __init__(self, id: str, pid: int, ready: dict[str, Any] | None, fds: list[int], max_body: int) -> None:
        self.id = id
        self.pid = pid
        self.ready = ready
        self.cold_start = ready is None
        self.has_started = ready is not None  # our part of it runs: what happens from here on is the user's code
        self.socket = socket.socket(fileno=fds[0])
        self._pipes = {"stdout": fds[1], "stderr": fds[2]}
        self._reader = frames.Reader(max_body)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.socket, selectors.EVENT_READ, "control")
        for stream, fd in self._pipes.items():
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ, stream)
        # A child that user code forked may hold the socket open after its parent died: watch the process too.
        self._pidfd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ, "process")

    def send(self, head: dict[str, Any], body: bytes = b"") -> bool:
        """False when nobody is there to receive it."""
        try:
            frames.write(self.socket, head, body)
        except OSError:
            return False
        return True

    def poll(self, timeout_s: float) -> list[News]:
        """What arrived within the timeout: output, then frames, Gone as the last."""
        news: list[News] = []
        gone = False
        for key, _ in self._selector.select(max(0.0, timeout_s)):
            if key.data == "process":
                gone = True
            elif key.data == "control":
                gone = not self._receive(news) or gone
            else:
                self._read_pipe(key.data, news)
        if any(isinstance(item, Frame) for item in news) or gone:
            # It flushes its output before it answers: all of it is in the pipes by now, and comes first.
            output = [item for item in news if isinstance(item, Output)]
            news = [*output, *self.drain(), *(item for item in news if not isinstance(item, Output))]
        if gone:
            self._receive_rest(news)
            news.append(Gone())
        return news

    def drain(self) -> list[News]:
        """Output that is in the pipes now."""
        news: list[News] = []
        ends_at = time.monotonic() + DRAIN_S
        for stream in self._pipes:
            while self._read_pipe(stream, news) and time.monotonic() < ends_at:
                pass
        return news

    def kill(self) -> None:
        """Ends it and all that it started, now. The host is still to be told (SandboxClient.end)."""
        process_tree.end(self.pid, self.id)

    def close(self) -> None:
        self._selector.close()
        self.socket.close()
        for fd in [*self._pipes.values(), *([] if self._pidfd is None else [self._pidfd])]:
            os.close(fd)

    def _receive(self, news: list[News]) -> bool:
        try:
            data = self.socket.recv(READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._reader.feed(data)
        try:
            news.extend(self._frames())
        except frames.FrameError:
            return False
        return bool(data)

    def _receive_rest(self, news: list[News]) -> None:
        """Frames that it sent before it ended: a result that was sent is a result."""
        while self._receive(news) and self._selector.get_map() and self._readable():
            pass

    def _readable(self) -> bool:
        return any(key.data == "control" for key, _ in self._selector.select(0))

    def _frames(self) -> Iterator[Frame]:
        while (frame := self._reader.next()) is not None:
            yield Frame(*frame)

    def _read_pipe(self, stream: str, news: list[News]) -> bool:
        try:
            data = os.read(self._pipes[stream], READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            if self._pipes[stream] in self._selector.get_map():
                self._selector.unregister(self._pipes[stream])
            return False
        news.append(Output(stream, data))
        return True
