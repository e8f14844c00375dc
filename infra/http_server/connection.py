"""A connection of a client, and where it is in its life."""

import time
from enum import Enum
from typing import Any

from gunicorn.workers.gthread import TConn

from infra.http_server.client_socket import MIN_BYTES_PER_S, START_S, ClientSocket
from infra.http_server.request_head import Head, read_head
from infra.http_server.thread_allocation import RequestClass

HEAD_S = 5.0  # for the head of a request, from its first byte


class State(Enum):
    """HELD: a queue or a thread has the connection. In every other state the event loop has it."""

    IDLE = "idle"
    RECEIVING = "receiving"
    HELD = "held"
    SENDING = "sending"
    LINGERING = "lingering"
    CLOSED = "closed"


class Connection(TConn):
    """deadline: when the event loop gives it up. is_kept: another request may follow."""

    sock: ClientSocket
    parser: Any

    def __init__(self, cfg: Any, sock: Any, client: Any, server: Any) -> None:
        super().__init__(cfg, ClientSocket(sock), client, server)
        self.data_ready = True  # a thread gets it when there is something to do
        self.state = State.IDLE
        self.deadline = 0.0
        self.lanes: list[RequestClass] = []  # those in which its request counts as running
        self.is_kept = True
        self.head: Head | None = None
        self._searched = 0

    @property
    def waits(self) -> bool:
        """Tell whether the client asks to wait for the end of a request."""
        return self.head is not None and self.head.waits

    def read_head(self) -> Head | None:
        """Return the head of the next request, once it is here."""
        if self.head is None:
            self.head = read_head(self.sock.ahead, self._searched)
            self._searched = len(self.sock.ahead)
            if self.head is not None:
                expected = max(self.head.ahead_bytes - len(self.sock.ahead), 0)
                self.deadline = time.monotonic() + START_S + expected / MIN_BYTES_PER_S
        return self.head

    def expect_request(self) -> None:
        """Forget the request that was answered. What gunicorn has read beyond it belongs to the next one."""
        if self.parser is not None:
            self.sock.ahead[:0] = self.parser.unreader.take_buffered()
        self.head, self._searched = None, 0
        self.deadline = time.monotonic() + HEAD_S
