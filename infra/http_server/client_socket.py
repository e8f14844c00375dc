"""Wrap a client's socket for the thread of a handler: reads are limited in time, and writes do not block."""

import contextlib
import errno
import select
import socket
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from infra.http_server.send_buffer import IN_MEMORY_BYTES, SendBuffer, send_now

BODY_START_S = 5.0  # limit for a body to start, beside the time for its bytes
MIN_BYTES_PER_S = 8 * 1024  # minimum rate of a client that sends a body
MAX_PAUSE_S = 15.0  # limit between two reads, at any rate
MAX_SEND_STALL_S = 30.0  # limit for a client to receive any byte of its response
MAX_UNSENT_BYTES = 16 * 1024 * 1024  # of one client's responses; a thread that produces more waits for the client
DEFER_ACCEPT_S = 60  # how long the kernel holds a connection without data


class ClientSocket(socket.socket):
    """Raise ConnectionResetError from reads when the client is too slow.

    ahead: bytes that the event loop has already received. outgoing: responses that the client has not received yet.
    request: gunicorn's, while a thread handles it.
    may_wait: the current request may hold its thread for a long time. on_slow: called when a thread waits for the
    client to receive a large response.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.ahead = bytearray()
        self.outgoing = SendBuffer()
        self.request: Any = None
        self.was_too_slow = self.may_wait = False
        self.on_slow: Callable[[], None] = lambda: None
        self.begin_body()

    def begin_body(self) -> None:
        """Start the time limit of a body: a thread reads it from now on."""
        self._began = self._last = time.monotonic()
        self._received = 0

    def receive_ahead(self, size: int) -> int:
        """Receive bytes ahead of the next request's thread, and return their number.

        Raises OSError, and BlockingIOError when no byte has arrived yet.
        """
        data = super().recv(size, socket.MSG_DONTWAIT)
        self.ahead += data
        return len(data)

    def discard(self, size: int) -> int:
        """Receive bytes, drop them, and return their number. Raises OSError as receive_ahead does."""
        return len(super().recv(size, socket.MSG_DONTWAIT))

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.ahead:
            data = bytes(self.ahead[:size])
            del self.ahead[:size]
            return data
        if self.gettimeout() is not None:  # gunicorn sets a timeout while it drains a body
            return super().recv(size, flags)
        try:
            data = super().recv(size, flags | socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._wait_for_bytes()
            data = super().recv(size, flags)
        self._received += len(data)
        self._last = time.monotonic()
        return data

    def _wait_for_bytes(self) -> None:
        until = min(self._began + BODY_START_S + self._received / MIN_BYTES_PER_S, self._last + MAX_PAUSE_S)
        if not self._is_ready(select.POLLIN, until - time.monotonic()):
            self.was_too_slow = True
            raise ConnectionResetError(errno.ECONNRESET, "the client is too slow")

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send what the client receives now; the event loop sends the rest."""
        view = memoryview(data)
        if not self.outgoing.size:
            with contextlib.suppress(BlockingIOError):
                view = view[send_now(self, view, flags) :]
        if view:
            self._wait_for_space(MAX_UNSENT_BYTES)
            self._buffer(view)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Queue a part of a file; the event loop sends it after the waiting bytes."""
        assert count is not None, "gunicorn always passes it"
        self.outgoing.add_file(file.fileno(), offset, count)
        return count

    def _buffer(self, view: memoryview) -> None:
        try:
            self.outgoing.add(view)
        except OSError:  # the disk is full: this thread waits for the client instead
            for start in range(0, len(view), IN_MEMORY_BYTES):
                self._wait_for_space(0)
                self.outgoing.add(view[start : start + IN_MEMORY_BYTES])

    def _wait_for_space(self, allowed_bytes: int) -> None:
        """Send until at most `allowed_bytes` are left. Raises ConnectionResetError when the client receives nothing."""
        if self.outgoing.size > allowed_bytes:
            self.on_slow()
        while self.outgoing.size > allowed_bytes:
            if not self._is_ready(select.POLLOUT, MAX_SEND_STALL_S):
                self.was_too_slow = True
                raise ConnectionResetError(errno.ECONNRESET, "the client does not receive its response")
            self.outgoing.send(self)

    def _is_ready(self, events: int, limit_s: float) -> bool:
        poll = select.poll()
        poll.register(self, events)
        return limit_s > 0 and bool(poll.poll(limit_s * 1000))

    def close(self) -> None:
        self.outgoing.close()
        super().close()


def defer_accept(server: Any) -> None:
    """Let the kernel hold connections without data (Linux): idle ones cost this process nothing."""
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        for listener in server.LISTENERS:
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_ACCEPT_S)


def with_may_wait(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application that offers the socket's `may_wait` to `app`, as `localfn.may_wait`."""

    def call(environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["localfn.may_wait"] = environ["gunicorn.socket"].may_wait
        return app(environ, start_response)

    return call
