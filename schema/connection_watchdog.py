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

Result = TypeVar("Result")

PROBE_AFTER_S = 4.0  # before a statement that has no answer is a reason to ask whether the server is there
PROBE_TIMEOUT_S = 5  # for that; a machine that has too much to do needs some. Both together are less than ten.
UNRESPONSIVE_FOR_S = 2.0  # so long one that was silent is taken to be so
MAX_STATEMENT_S = 60.0  # a statement that a server works at for so long is none of ours; or its line swallows, alone


class ServerUnresponsiveError(psycopg.OperationalError):
    """PostgreSQL does not answer."""

    def __init__(self) -> None:
        super().__init__("PostgreSQL does not answer.")


class ServerMonitor:
    """What this process knows of a server. max_statement_s: how long it may be at one statement."""

    def __init__(self, max_statement_s: float = MAX_STATEMENT_S) -> None:
        self.max_statement_s = max_statement_s
        self._lock = threading.Lock()
        self._unresponsive_until = self._answered_at = float("-inf")
        self._probe: Callable[[], object] | None = None

    def connect(self, *args: Any, **parameters: Any) -> "WatchedConnection":
        """Return a new connection; the parameters are psycopg's. Raises ServerUnresponsiveError while it is silent."""
        if time.monotonic() < self._unresponsive_until:
            raise ServerUnresponsiveError
        try:
            line = WatchedConnection.connect(*args, **parameters)
        except ConnectionTimeout:
            self._unresponsive_until = time.monotonic() + UNRESPONSIVE_FOR_S
            raise
        line.server = self
        self._probe = lambda: WatchedConnection.connect(
            *args, **parameters | {"connect_timeout": PROBE_TIMEOUT_S}
        ).close()
        return line

    def is_unresponsive(self) -> bool:
        """Of those who ask at the same time, one finds out."""
        asked_at = time.monotonic()
        with self._lock:
            if self._answered_at < asked_at and time.monotonic() >= self._unresponsive_until:
                self._probe_server()
            return time.monotonic() < self._unresponsive_until

    def _probe_server(self) -> None:
        assert self._probe is not None
        try:
            self._probe()
        except ConnectionTimeout:
            self._unresponsive_until = time.monotonic() + UNRESPONSIVE_FOR_S
        except psycopg.Error:
            pass  # it refuses: so it is there
        else:
            self._answered_at = time.monotonic()


class WatchedConnection(psycopg.Connection[Any]):
    """A connection whose statements end, whatever the server does."""

    server: ServerMonitor | None = None

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """As psycopg's; it is what all that is said to the server goes through. Raises ServerUnresponsiveError."""
        if timeout is not None or self.server is None:
            return super().wait(gen, interval, timeout)
        began = time.monotonic()
        waited: PQGen[Result] = gen
        while True:
            try:
                return super().wait(waited, interval, PROBE_AFTER_S)
            except _WaitTimeout:
                if self.server.is_unresponsive() or time.monotonic() - began > self.server.max_statement_s:
                    self.pgconn.finish()  # the pool drops it; nobody reads an answer that comes late
                    raise ServerUnresponsiveError from None
            waited = _resume(gen)


def _resume(gen: PQGen[Result]) -> Generator[Any, Any, Result]:
    """A generator that was left in the middle, for a wait that begins anew."""
    try:
        wanted = gen.send(Ready.NONE)
        while True:
            wanted = gen.send((yield wanted))
    except StopIteration as stop:
        answer: Result = stop.value
        return answer
