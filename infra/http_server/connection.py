"""Track the state of a client's connection."""

import time
from collections.abc import Iterable
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


class ConnectionTable:
    """Group the connections of one process by state, oldest first."""

    def __init__(self) -> None:
        self._by_state: dict[State, dict[Connection, None]] = {state: {} for state in State}

    def move(self, conn: Connection, state: State) -> None:
        """Change the state of a connection. A closed one is forgotten."""
        self._by_state[conn.state].pop(conn, None)
        conn.state = state
        if state is not State.CLOSED:
            self._by_state[state][conn] = None

    def oldest(self, states: Iterable[State]) -> Connection | None:
        """Return the oldest connection in the first of these states that has any."""
        return next((conn for state in states for conn in self._by_state[state]), None)

    def in_state(self, state: State) -> list[Connection]:
        """Return the connections in this state, as a copy: the caller may move them."""
        return list(self._by_state[state])


class WatchedReader:
    """Wrap a body's reader; call back once at the end of the body."""

    def __init__(self, reader: Any, on_end: Any) -> None:
        self._reader, self._on_end = reader, on_end

    def read(self, size: int) -> bytes:
        data: bytes = self._reader.read(size)
        if self._on_end is not None and self._is_at_end(data):
            self._on_end()
            self._on_end = None
        return data

    def _is_at_end(self, data: bytes) -> bool:
        # A reader of a known length counts down; a reader of chunks drops its parser.
        return not data or getattr(self._reader, "length", 1) == 0 or getattr(self._reader, "parser", True) is None
