"""Gunicorn's threads, of which no slow client holds one for long.

Gunicorn waits for the rest of a head or a body for as long as the client likes; some hundred clients that send a byte
a minute would hold every thread. Here a head has seconds, and a body has to come at some speed. A client that does not
take its answer is given up, too.
"""

import errno
import select
import socket
import struct
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

HEAD_S = 5.0  # for the head of a request, from its first byte
LEAST_BYTES_PER_S = 8 * 1024  # of what is sent to us, beyond the first seconds
SILENCE_S = 15.0  # without a byte, however much came before
SEND_S = 30  # without a byte taken
IDLE_S = 60  # of a connection on which nothing came yet


class Hurried(socket.socket):
    """A client's socket. Reading raises ConnectionResetError when the client was too slow."""

    was_too_slow = False

    @classmethod
    def of(cls, accepted: socket.socket) -> "Hurried":
        made = cls(accepted.family, accepted.type, accepted.proto, accepted.detach())
        if hasattr(socket, "SO_SNDTIMEO"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
        return made

    def begin(self) -> None:
        """The next byte begins a request."""
        self._began = self._last = time.monotonic()
        self._taken = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.gettimeout() is not None:  # whoever set one waits for no longer
            return super().recv(size, flags)
        try:
            data = super().recv(size, flags | socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._wait()
            data = super().recv(size, flags)
        self._taken += len(data)
        self._last = time.monotonic()
        return data

    def _wait(self) -> None:
        until = min(self._began + HEAD_S + self._taken / LEAST_BYTES_PER_S, self._last + SILENCE_S)
        left_s = until - time.monotonic()
        poll = select.poll()
        poll.register(self, select.POLLIN)
        if left_s <= 0 or not poll.poll(left_s * 1000):
            self.was_too_slow = True
            raise ConnectionResetError(errno.ECONNRESET, "the client is too slow")


class Worker(ThreadWorker):
    """One process of the web server."""

    def handle(self, conn: Any) -> Any:
        if not isinstance(conn.sock, Hurried):
            conn.sock = Hurried.of(conn.sock)
        conn.sock.begin()
        answer = super().handle(conn)
        if not answer:
            # Gunicorn would do it in the thread that accepts, and wait there for two seconds for each such client.
            conn.close(graceful=not conn.sock.was_too_slow)
            conn.close = _is_closed
        return answer


def _is_closed(graceful: bool = False) -> None:
    """Of a connection, instead of closing it again."""


def wait_for_data(server: Any) -> None:
    """A connection on which nothing comes stays with the kernel (Linux): opening many costs no thread."""
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        for listener in server.LISTENERS:
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, IDLE_S)
