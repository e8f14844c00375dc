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


EXITED = "it ended"
RUBBISH = "it sent what is no frame"


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
    """The sandbox has ended, or what it sends makes no sense any more. why: EXITED or RUBBISH."""

    why: str


News = Frame | Output | Gone


class Sandbox:
    """A child interpreter on loan. ready: what it said of its function, or None while it still imports."""

    def __init__(self, id: str, pid: int, ready: dict[str, Any] | None, fds: list[int], max_body: int) -> None:
        self.id = id
        self.pid = pid
        self.ready = ready
        self.cold_start = ready is None
        self.is_spent = False  # its request left processes behind: there is no telling them from the next one's
        self.has_started = ready is not None  # our part of it runs: what happens from here on is the user's code
        self.socket = socket.socket(fileno=fds[0])
        self._pipes = {"stdout": fds[1], "stderr": fds[2]}
        self._reader = frames.Reader(max_body)
        self._outgoing = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.socket, selectors.EVENT_READ, "control")
        for stream, fd in self._pipes.items():
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ, stream)
        # A child that user code forked may hold the socket open after its parent died: watch the process too.
        self._pidfd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ, "process")

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Sends a frame; what the sandbox does not take at once, `poll` sends on: nobody waits for a reader."""
        self._outgoing += frames.encode(head, body)
        self._send_on()

    def poll(self, timeout_s: float) -> list[News]:
        """What arrived within the timeout: output, then frames, Gone as the last."""
        news: list[News] = []
        gone = ""
        for key, mask in self._selector.select(max(0.0, timeout_s)):
            if key.data == "process":
                gone = gone or EXITED
            elif key.data != "control":
                self._read_pipe(key.data, news)
            elif mask & selectors.EVENT_READ:
                gone = self._receive(news) or gone
            else:
                self._send_on()
        if any(isinstance(item, Frame) for item in news) or gone:
            # It flushes its output before it answers: all of it is in the pipes by now, and comes first.
            output = [item for item in news if isinstance(item, Output)]
            news = [*output, *self.drain(), *(item for item in news if not isinstance(item, Output))]
        if gone:
            self._receive_rest(news)
            news.append(Gone(gone))
        return news

    def is_quiet(self) -> bool:
        """Whether it is there and says nothing; what was printed between two requests belongs to neither."""
        self.cold_start = False
        return all(isinstance(item, Output) for item in self.poll(0))

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

    def _send_on(self) -> None:
        try:
            del self._outgoing[: self.socket.send(self._outgoing, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()  # nobody is there: the next poll tells
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        self._selector.modify(self.socket, events, "control")

    def _receive(self, news: list[News]) -> str:
        """Reads frames; tells why it is the end, if it is."""
        try:
            data = self.socket.recv(READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return ""
        except OSError:
            return EXITED
        self._reader.feed(data)
        try:
            news.extend(self._frames())
        except frames.FrameError:
            return RUBBISH
        return "" if data else EXITED

    def _receive_rest(self, news: list[News]) -> None:
        """Frames that it sent before it ended: a result that was sent is a result."""
        while self._readable() and not self._receive(news):
            pass

    def _readable(self) -> bool:
        return any(key.data == "control" and mask & selectors.EVENT_READ for key, mask in self._selector.select(0))

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
