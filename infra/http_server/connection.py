"""Track the state of a client's connection."""

import time
from enum import Enum
from typing import Any

from gunicorn.workers.gthread import TConn

from infra.http_server.client_socket import BODY_START_S, MIN_BYTES_PER_S, ClientSocket
from infra.http_server.request_head import Head, read_head
from infra.http_server.thread_allocation import RequestClass

MAX_HEAD_S = 5.0  # limit for the head of a request, from its first byte


class State(Enum):
    """HELD: a queue or a thread owns the connection. In all other states the event loop owns it."""

    IDLE = "idle"
    RECEIVING = "receiving"
    HELD = "held"
    SENDING = "sending"
    LINGERING = "lingering"
    CLOSED = "closed"


class Connection(TConn):
    """Represent a client's connection. deadline: when the event loop closes it. keep_alive: a request may follow."""

    sock: ClientSocket
    parser: Any

    def __init__(self, cfg: Any, sock: Any, client: Any, server: Any) -> None:
        super().__init__(cfg, ClientSocket(sock), client, server)
        self.data_ready = True  # a thread gets the connection only when a request is ready
        self.state = State.IDLE
        self.deadline = 0.0
        self.kinds: list[RequestClass] = []  # the classes in which its request counts as running
        self.keep_alive = True
        self.head: Head | None = None
        self._searched = 0

    @property
    def waits(self) -> bool:
        """Return True if the client asks to wait for the end of a request."""
        return self.head is not None and self.head.waits

    def read_head(self) -> Head | None:
        """Return the head of the next request, or None while it is incomplete."""
        if self.head is None:
            self.head = read_head(self.sock.ahead, self._searched)
            self._searched = len(self.sock.ahead)
            if self.head is not None:
                expected = max(self.head.ahead_bytes - len(self.sock.ahead), 0)
                self.deadline = time.monotonic() + BODY_START_S + expected / MIN_BYTES_PER_S
        return self.head

    def expect_request(self) -> None:
        """Prepare for the next request. Bytes that gunicorn has read beyond the last one belong to the next."""
        if self.parser is not None:
            self.sock.ahead[:0] = self.parser.unreader.take_buffered()
        self.head, self._searched = None, 0
        self.deadline = time.monotonic() + MAX_HEAD_S
