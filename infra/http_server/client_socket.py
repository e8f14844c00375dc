"""The socket of a client, as a handler's thread sees it: reading is bounded in time, and writing does not wait."""

import contextlib
import errno
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from infra.http_server.send_buffer import IN_MEMORY_BYTES, SendBuffer

START_S = 5.0  # for a body to begin, beside the time that its bytes have
MIN_BYTES_PER_S = 8 * 1024  # a client has to send
MAX_PAUSE_S = 15.0  # between two bytes, however much came before
MAX_UNTAKEN_S = 30.0  # for a client to take a byte of its answer
MAX_UNSENT_BYTES = 16 * 1024 * 1024  # of one client's answers; a thread that makes more waits for the client


class ClientSocket(socket.socket):
    """Reading raises ConnectionResetError when the client is too slow.

    ahead: bytes that the event loop has received already. outgoing: answers that the client has not taken yet.
    may_wait: the request that runs now has a thread for a long time. on_slow: called when a thread waits for the client
    to take a large answer.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.ahead = bytearray()
        self.outgoing = SendBuffer()
        self.was_too_slow = self.may_wait = False
        self.on_slow: Callable[[], None] = lambda: None
        self.begin_body()

    def begin_body(self) -> None:
        """Start the clock of a body: its thread reads from now on."""
        self._began = self._last = time.monotonic()
        self._received = 0

    def receive_ahead(self, size: int) -> int:
        """Receive bytes for the thread of the next request, and return their number.

        Raises OSError: BlockingIOError when no byte is here yet.
        """
        data = super().recv(size, socket.MSG_DONTWAIT)
        self.ahead += data
        return len(data)

    def discard(self, size: int) -> int:
        """Receive bytes, drop them, and return their number. Raises OSError, as receive_ahead does."""
        return len(super().recv(size, socket.MSG_DONTWAIT))

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.ahead:
            data = bytes(self.ahead[:size])
            del self.ahead[:size]
            return data
        if self.gettimeout() is not None:  # gunicorn sets one while it drains a body
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
        until = min(self._began + START_S + self._received / MIN_BYTES_PER_S, self._last + MAX_PAUSE_S)
        if not self._is_ready(select.POLLIN, until - time.monotonic()):
            self.was_too_slow = True
            raise ConnectionResetError(errno.ECONNRESET, "the client is too slow")

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send what the client takes now; the event loop sends the rest."""
        view = memoryview(data)
        if not self.outgoing.size:
            with contextlib.suppress(BlockingIOError):
                view = view[super().send(view, flags | socket.MSG_DONTWAIT) :]
        if view:
            self._wait_for_room(MAX_UNSENT_BYTES)
            self._keep(view)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Leave a part of a file to the event loop, which sends it behind what waits already."""
        assert count is not None, "gunicorn always tells it"
        self.outgoing.add_file(file.fileno(), offset, count)
        return count

    def _keep(self, view: memoryview) -> None:
        try:
            self.outgoing.add(view)
        except OSError:  # the disk is full: this thread waits for the client, and reads go on
            for start in range(0, len(view), IN_MEMORY_BYTES):
                self._wait_for_room(0)
                self.outgoing.add(view[start : start + IN_MEMORY_BYTES])

    def _wait_for_room(self, allowed_bytes: int) -> None:
        """Send until at most `allowed_bytes` are left. Raises ConnectionResetError when the client takes nothing."""
        if self.outgoing.size > allowed_bytes:
            self.on_slow()
        while self.outgoing.size > allowed_bytes:
            if not self._is_ready(select.POLLOUT, MAX_UNTAKEN_S):
                self.was_too_slow = True
                raise ConnectionResetError(errno.ECONNRESET, "the client does not take its answer")
            self.outgoing.send(self)

    def _is_ready(self, kind: int, limit_s: float) -> bool:
        poll = select.poll()
        poll.register(self, kind)
        return limit_s > 0 and bool(poll.poll(limit_s * 1000))

    def close(self) -> None:
        self.outgoing.close()
        super().close()
