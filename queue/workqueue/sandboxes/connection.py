"""One sandbox, seen from the worker that drives it: send requests, take what comes back, end it.

The process itself belongs to the sandbox host, which lends it (sandbox_host.py). The frames are localfn.runtime.frames.
"""

import os
import select
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localfn.runtime import frames
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.output_stream import OutputReader, OutputStream, Printed
from workqueue.sandboxes.process import SandboxLease
from workqueue.sandboxes.start_tokens import StartTokens

READ_SIZE = 262_144
DRAIN_S = 0.5  # at most so long is output read that a dead sandbox left behind in its pipes
LAST_FRAMES = frozenset(
    {"ready", "refused", "described", "done", "failed", "declined"}
)  # each has a mark in the output
EXITED = "it ended"
PROTOCOL_ERROR = "it sent what is no frame"


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
class Disconnected:
    """The sandbox has ended, or what it sends makes no sense any more. why: EXITED or RUBBISH."""

    why: str


Message = Frame | Output | Disconnected


class SandboxConnection:
    """A child interpreter on loan. ready: what it said of its function, or None while it still imports.

    fds: socket, stdout, stderr, and the two ends of the socket of turns.
    """

    def __init__(self, lease: SandboxLease, fds: list[int], max_body: int) -> None:
        self.id, self.pid, self.ready = lease.id, lease.pid, lease.ready
        self.cold_start = lease.ready is None
        self.was_killed = False
        self.has_leftovers = False  # its request left processes behind: there is no telling them from the next one's
        self.has_started = lease.ready is not None  # our part of it runs: what happens from here on is the user's code
        self.socket = socket.socket(fileno=fds[0])
        mark = lease.mark.encode()
        self._outputs = OutputReader([OutputStream("stdout", fds[1], mark), OutputStream("stderr", fds[2], mark)])
        self.start_tokens = StartTokens(fds[3], fds[4])
        self._reader = frames.Reader(max_body)
        self._outgoing = bytearray()
        self._waits_to_send = False
        self._news: deque[Message] = deque()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.socket, selectors.EVENT_READ, "control")
        for stream in self._outputs.streams:
            os.set_blocking(stream.fd, False)
            self._selector.register(stream.fd, selectors.EVENT_READ, stream)
        # A child that user code forked may hold the socket open after its parent died: watch the process too.
        self._pidfd = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ, "process")

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Sends a frame; what the sandbox does not take at once is sent on while its news are awaited."""
        self._outgoing += frames.encode(head, body)
        self._send_on()

    def grant_starts(self, count: int) -> int:
        """So many of the requests that it will be sent now may begin; gives the number of their round."""
        try:
            return self.start_tokens.grant(count)
        except OSError:
            self.kill()  # its news will be that
            return 0

    def next_message(self, timeout_s: float) -> "Message | None":
        """What it has to say next, None when that is nothing, yet: output comes before the answer that ends it."""
        if not self._news:
            self._listen(timeout_s)
        return self._news.popleft() if self._news else None

    def discard_idle_output(self) -> bool:
        """Whether it is there and says nothing; what was printed between two requests belongs to neither."""
        self.cold_start = False
        self._listen(0)
        quiet = all(isinstance(item, Output) for item in self._news)
        self._news.clear()
        self._outputs.rest()
        return quiet

    def drain(self) -> Iterator["Message"]:
        """After its end: all the output that is left."""
        ends_at = time.monotonic() + DRAIN_S
        yield from self._news
        self._news.clear()
        while self._outputs.read() and time.monotonic() < ends_at:
            yield from self._printed(self._outputs.take())
        yield from self._printed(self._outputs.rest())

    def kill(self) -> None:
        """End it and all that it started, now. The host is still to be told (SandboxPoolClient.end)."""
        self.was_killed = True
        process_tree.kill_tree(self.pid)
        process_tree.kill_tagged(self.id)

    def has_ended(self, limit_s: float) -> bool:
        """Wait for the process to end by itself; return whether it did within the limit."""
        if self._pidfd is not None:
            return bool(select.select([self._pidfd], [], [], limit_s)[0])
        return process_tree.has_ended(self.pid, limit_s)

    def close(self) -> None:
        self._selector.close()
        self.socket.close()
        self.start_tokens.close()
        for fd in [*(stream.fd for stream in self._outputs.streams), *([] if self._pidfd is None else [self._pidfd])]:
            os.close(fd)

    def _listen(self, timeout_s: float) -> None:
        gone = ""
        for key, mask in self._selector.select(max(0.0, timeout_s)):
            if key.data == "process":
                gone = gone or EXITED
            elif isinstance(key.data, OutputStream):
                self._read(key.data)
            elif mask & selectors.EVENT_READ:
                gone = self._receive() or gone
            else:
                self._send_on()
        if gone:
            while self._readable() and not self._receive():  # a result that was sent is a result
                pass
        self._news.extend(self._printed(self._outputs.take()))
        if gone:
            self._news.append(Disconnected(gone))

    def _send_on(self) -> None:
        try:
            del self._outgoing[: self.socket.send(self._outgoing, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()  # nobody is there: its news will be that
        if self._waits_to_send != bool(self._outgoing):
            self._waits_to_send = bool(self._outgoing)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
            self._selector.modify(self.socket, events, "control")

    def _receive(self) -> str:
        """Reads frames; tells why it is the end, if it is."""
        try:
            data = self.socket.recv(READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return ""
        except OSError:
            return EXITED
        self._reader.feed(data)
        try:
            while (found := self._reader.next()) is not None:
                frame = Frame(*found)
                if frame.type in LAST_FRAMES:
                    self._news.extend(self._printed(self._outputs.until_end()))
                self._news.append(frame)
        except frames.FrameError:
            return PROTOCOL_ERROR
        return "" if data else EXITED

    def _printed(self, found: list[Printed]) -> list[Output]:
        return [Output(name, data) for name, data in found]

    def _readable(self) -> bool:
        return any(key.data == "control" and mask & selectors.EVENT_READ for key, mask in self._selector.select(0))

    def _read(self, stream: OutputStream) -> None:
        if not stream.read() and not stream.is_open and stream.fd in self._selector.get_map():
            self._selector.unregister(stream.fd)
