"""The runtime's end of the channels to one sandbox: send frames, receive frames and output. No method waits.

The frames are those of localfn.runtime.frames. `next_message` is for callers without an event loop.
"""

import selectors
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from localfn.runtime import frames
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.output_stream import OutputReader, OutputStream, Printed
from workqueue.sandboxes.process import SandboxProcess
from workqueue.sandboxes.start_tokens import StartTokens

READ_SIZE = 262_144
DRAIN_S = 0.5  # limit for reading the output that a dead sandbox left in its pipes
POLL_S = 0.1  # between checks of the process where the selector cannot watch it (macOS)
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
    """A connection to a sandbox that was started. max_body: bytes of one frame's body."""

    def __init__(self, sandbox: SandboxProcess, max_body: int) -> None:
        self.socket = sandbox.pipes.control
        # Not MSG_DONTWAIT: macOS ignores it in send(2), and a sandbox that reads nothing would block the worker.
        self.socket.setblocking(False)
        self.start_tokens = StartTokens(*sandbox.pipes.start_tokens)
        self.outputs = OutputReader(
            [
                OutputStream("stdout", sandbox.pipes.stdout, sandbox.mark.encode()),
                OutputStream("stderr", sandbox.pipes.stderr, sandbox.mark.encode()),
            ]
        )
        self._sandbox = sandbox
        self._reader = frames.Reader(max_body)
        self._outgoing = bytearray()
        self._pending: deque[Message] = deque()  # for `next_message`

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Send a frame. Call `flush` when the socket is writable while `has_unsent`."""
        self._outgoing += frames.encode(head, body)
        self.flush()

    def flush(self) -> None:
        """Send what the sandbox has room for. A sandbox that has ended is reported by `receive`."""
        try:
            del self._outgoing[: self.socket.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()

    @property
    def has_unsent(self) -> bool:
        return bool(self._outgoing)

    def receive(self) -> list[Message]:
        """Return the frames that have arrived, each last frame of a request after the output of that request.

        The list ends with Disconnected if the connection has ended.
        """
        try:
            data = self.socket.recv(READ_SIZE)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self._reader.feed(data)
        found: list[Message] = []
        try:
            while (parts := self._reader.next()) is not None:
                frame = Frame(*parts)
                if frame.type in LAST_FRAMES:
                    found += _as_output(self.outputs.take_until_end())
                found.append(frame)
        except frames.FrameError:
            found.append(Disconnected(PROTOCOL_ERROR))
            return found
        if not data:
            found.append(Disconnected(EXITED))
        return found

    def receive_all(self) -> list[Message]:
        """Return the messages that a sandbox sent before it ended, and its Disconnected."""
        found = self.receive()
        while found and not isinstance(found[-1], Disconnected) and (more := self.receive()):
            found += more
        if not found or not isinstance(found[-1], Disconnected):
            found.append(Disconnected(EXITED))
        return found

    def read_output(self) -> list[Message]:
        """Return the output that has arrived."""
        self.outputs.read()
        return _as_output(self.outputs.take())

    def discard_idle_output(self) -> bool:
        """Discard output printed between two requests. Return False if the sandbox ended or sent a frame."""
        is_quiet = not self.receive()
        self.outputs.read()
        self.outputs.take_rest()
        return is_quiet

    def drain(self) -> list[Message]:
        """Return the output that is left after the sandbox was killed."""
        found, ends_at = list[Message](), time.monotonic() + DRAIN_S
        while self.outputs.read() and time.monotonic() < ends_at:
            found += _as_output(self.outputs.take())
        return found + _as_output(self.outputs.take_rest())

    def next_message(self, timeout_s: float) -> Message | None:
        """Wait for the next message; return None after the timeout."""
        ends_at = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            while not self._pending:
                remaining_s = ends_at - time.monotonic()
                if remaining_s <= 0:
                    return None
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.has_unsent else 0)
                selector.modify(self.socket, events)
                for stream in self.outputs.streams:
                    if stream.is_open and stream.fd not in selector.get_map():
                        selector.register(stream.fd, selectors.EVENT_READ)
                    elif not stream.is_open and stream.fd in selector.get_map():
                        selector.unregister(stream.fd)
                self._listen(selector, min(remaining_s, POLL_S))
        return self._pending.popleft()

    def _listen(self, selector: selectors.BaseSelector, timeout_s: float) -> None:
        # A child that user code forked may hold the socket open after the sandbox died: check the process, too.
        has_ended = not selector.select(timeout_s) and process_tree.has_ended(self._sandbox.pid, 0)
        self.flush()
        self._pending.extend(self.receive_all() if has_ended else self.receive())
        self._pending.extend(self.read_output())


def _as_output(printed: list[Printed]) -> list[Message]:
    return [Output(name, data) for name, data in printed]
