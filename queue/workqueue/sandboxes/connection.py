"""A worker's connection to one sandbox: send requests, receive messages and output, end the sandbox.

The process belongs to the sandbox pool, which leases it (pool.py). The frames are those of localfn.runtime.frames.
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
DRAIN_S = 0.5  # limit for reading the output that a dead sandbox left in its pipes
# Each of these ends an answer, and has a mark in the output.
LAST_FRAMES = frozenset({"ready", "refused", "described", "done", "failed", "declined"})
EXITED = "the sandbox ended"
PROTOCOL_ERROR = "the sandbox sent an invalid frame"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame from the sandbox: its head, and a body of JSON text."""

    head: dict[str, Any]
    body: bytes

    @property
    def type(self) -> str:
        return str(self.head["type"])


@dataclass(frozen=True, slots=True)
class Output:
    """Printed output. stream: "stdout" or "stderr"."""

    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The sandbox has ended, or broke the protocol. why: EXITED or PROTOCOL_ERROR."""

    why: str


Message = Frame | Output | Disconnected


class SandboxConnection:
    """A connection to a leased sandbox. ready: its description of its function; None while it still imports.

    fds: socket, stdout, stderr, and the two ends of the start tokens' socket. max_body: bytes of one frame's body.
    """

    def __init__(self, lease: SandboxLease, fds: list[int], max_body: int) -> None:
        self.id, self.pid, self.ready = lease.id, lease.pid, lease.ready
        self.cold_start = lease.ready is None
        self.was_killed = False
        self.has_leftovers = False  # its request left processes behind, which may disturb the next one
        self.has_started = lease.ready is not None  # the SDK runs: a failure from here on is one of user code
        self.socket = socket.socket(fileno=fds[0])
        # Not MSG_DONTWAIT: macOS ignores it in send(2), and a sandbox that reads nothing would block the worker.
        self.socket.setblocking(False)
        mark = lease.mark.encode()
        self._outputs = OutputReader([OutputStream("stdout", fds[1], mark), OutputStream("stderr", fds[2], mark)])
        self.start_tokens = StartTokens(fds[3], fds[4])
        self._reader = frames.Reader(max_body)
        self._outgoing = bytearray()
        self._waits_to_send = False
        self._messages: deque[Message] = deque()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.socket, selectors.EVENT_READ, "control")
        for stream in self._outputs.streams:
            os.set_blocking(stream.fd, False)
            self._selector.register(stream.fd, selectors.EVENT_READ, stream)
        # A child that user code forked may hold the socket open after the sandbox died: watch the process too. Without
        # pidfd (macOS), `_listen` checks the process whenever nothing else happens.
        self._pidfd = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ, "process")

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send a frame. `next_message` sends the part that the sandbox does not read at once."""
        self._outgoing += frames.encode(head, body)
        self._send_pending()

    def grant_starts(self, count: int) -> int:
        """Let the sandbox start `count` of the requests that are sent next; return the generation of their tokens."""
        try:
            return self.start_tokens.grant(count)
        except OSError:
            self.kill()  # the next message reports it
            return 0

    def next_message(self, timeout_s: float) -> "Message | None":
        """Return the next message, None after the timeout. Output comes before the answer that ends it."""
        if not self._messages:
            self._listen(timeout_s)
        return self._messages.popleft() if self._messages else None

    def discard_idle_output(self) -> bool:
        """Discard output printed between two requests. Return False if the sandbox ended or sent a frame."""
        self.cold_start = False
        self._listen(0)
        is_quiet = all(isinstance(item, Output) for item in self._messages)
        self._messages.clear()
        self._outputs.take_rest()
        return is_quiet

    def drain(self) -> Iterator["Message"]:
        """Yield the messages and the output that are left after the sandbox ended."""
        ends_at = time.monotonic() + DRAIN_S
        yield from self._messages
        self._messages.clear()
        while self._outputs.read() and time.monotonic() < ends_at:
            yield from self._as_output(self._outputs.take())
        yield from self._as_output(self._outputs.take_rest())

    def kill(self) -> None:
        """Kill the sandbox and its descendants. The caller must also inform the pool (SandboxPoolClient.end)."""
        self.was_killed = True
        process_tree.kill_tree(self.pid)
        process_tree.kill_tagged(self.id)

    def has_ended(self, limit_s: float) -> bool:
        """Wait for the process to end by itself. Return whether it did within the limit."""
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
        events = self._selector.select(max(0.0, timeout_s))
        end = "" if events else self._unwatched_end()
        for key, mask in events:
            if key.data == "process":
                end = end or EXITED
            elif isinstance(key.data, OutputStream):
                self._read(key.data)
            elif mask & selectors.EVENT_READ:
                end = self._receive() or end
            else:
                self._send_pending()
        if end:
            while self._is_readable() and not self._receive():  # a result that was sent before the end counts
                pass
        self._messages.extend(self._as_output(self._outputs.take()))
        if end:
            self._messages.append(Disconnected(end))

    def _unwatched_end(self) -> str:
        """Return EXITED if the process has ended, where the selector cannot watch it."""
        return EXITED if self._pidfd is None and process_tree.has_ended(self.pid, 0) else ""

    def _send_pending(self) -> None:
        try:
            del self._outgoing[: self.socket.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()  # the sandbox is gone: the next message reports it
        if self._waits_to_send != bool(self._outgoing):
            self._waits_to_send = bool(self._outgoing)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
            self._selector.modify(self.socket, events, "control")

    def _receive(self) -> str:
        """Read frames. Return why the connection ended; an empty string while it lasts."""
        try:
            data = self.socket.recv(READ_SIZE)
        except BlockingIOError:
            return ""
        except OSError:
            return EXITED
        self._reader.feed(data)
        try:
            while (found := self._reader.next()) is not None:
                frame = Frame(*found)
                if frame.type in LAST_FRAMES:
                    self._messages.extend(self._as_output(self._outputs.take_until_end()))
                self._messages.append(frame)
        except frames.FrameError:
            return PROTOCOL_ERROR
        return "" if data else EXITED

    def _as_output(self, printed: list[Printed]) -> list[Output]:
        return [Output(name, data) for name, data in printed]

    def _is_readable(self) -> bool:
        return any(key.data == "control" and mask & selectors.EVENT_READ for key, mask in self._selector.select(0))

    def _read(self, stream: OutputStream) -> None:
        if not stream.read() and not stream.is_open and stream.fd in self._selector.get_map():
            self._selector.unregister(stream.fd)
