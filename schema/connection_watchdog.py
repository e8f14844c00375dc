"""A server that is there and says nothing: frozen, or behind a line that swallows. Nobody waits for it for ever.

The kernel notices a line that is cut (session.py), but not a server that is stopped, and nothing on a unix socket. So
who has waited for an answer for a while asks for a new connection beside it. A server that gives one is slow, and is
waited for on; one that does not is silent: the connection is closed, the statement failed as by an outage, and for a
moment nobody else waits for a connection either. A statement that is answered soon pays nothing for this.
"""

import threading
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import ConnectionTimeout, _WaitTimeout
from psycopg.waiting import Ready

Answer = TypeVar("Answer")

PATIENCE_S = 4.0  # before a statement that has no answer is a reason to ask whether the server is there
PROBE_S = 5  # for that; a machine that has too much to do needs some. Both together are less than ten.
RESPITE_S = 2.0  # so long one that was silent is taken to be so
LONGEST_S = 60.0  # a statement that a server works at for so long is none of ours; or its line swallows, alone


class ServerUnresponsiveError(psycopg.OperationalError):
    """PostgreSQL does not answer."""

    def __init__(self) -> None:
        super().__init__("PostgreSQL does not answer.")


class ServerMonitor:
    """What this process knows of a server. longest_s: how long it may be at one statement."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self.longest_s = longest_s
        self._lock = threading.Lock()
        self._silent_until = self._heard_at = float("-inf")
        self._ask: Callable[[], object] | None = None

    def connect(self, *args: Any, **parameters: Any) -> "WatchedConnection":
        """Return a new connection; the parameters are psycopg's. Raises ServerUnresponsiveError while it is silent."""
        if time.monotonic() < self._silent_until:
            raise ServerUnresponsiveError
        try:
            line = WatchedConnection.connect(*args, **parameters)
        except ConnectionTimeout:
            self._silent_until = time.monotonic() + RESPITE_S
            raise
        line.server = self
        self._ask = lambda: WatchedConnection.connect(*args, **parameters | {"connect_timeout": PROBE_S}).close()
        return line

    def is_unresponsive(self) -> bool:
        """Of those who ask at the same time, one finds out."""
        asked_at = time.monotonic()
        with self._lock:
            if self._heard_at < asked_at and time.monotonic() >= self._silent_until:
                self._find_out()
            return time.monotonic() < self._silent_until

    def _find_out(self) -> None:
        assert self._ask is not None
        try:
            self._ask()
        except ConnectionTimeout:
            self._silent_until = time.monotonic() + RESPITE_S
        except psycopg.Error:
            pass  # it refuses: so it is there
        else:
            self._heard_at = time.monotonic()


class WatchedConnection(psycopg.Connection[Any]):
    """A connection whose statements end, whatever the server does."""

    server: ServerMonitor | None = None

    def wait(self, gen: PQGen[Answer], interval: float = 0.1, timeout: float | None = None) -> Answer:
        """As psycopg's; it is what all that is said to the server goes through. Raises ServerUnresponsiveError."""
        if timeout is not None or self.server is None:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        waited: PQGen[Answer] = gen
        while True:
            try:
                return super().wait(waited, interval, PATIENCE_S)
            except _WaitTimeout:
                if self.server.is_unresponsive() or time.monotonic() - began > self.server.longest_s:
                    self.pgconn.finish()  # the pool drops it; nobody reads an answer that comes late
                    raise ServerUnresponsiveError from None
            waited = _gone_on(gen)


def _gone_on(gen: PQGen[Answer]) -> Generator[Any, Any, Answer]:
    """A generator that was left in the middle, for a wait that begins anew."""
    try:
        wanted = gen.send(Ready.NONE)
        while True:
            wanted = gen.send((yield wanted))
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer
