"""Detect a PostgreSQL server that never answers: it is frozen, or the network drops its packets.

TCP keepalives (engine.py) detect a broken connection, but not a frozen server, and they do not exist on Unix sockets.
So a statement without an answer for PROBE_AFTER_S opens a second connection. If the server accepts it, the server is
slow, and the statement continues to wait. If not, the server is unresponsive: the statement fails as by an outage, and
for UNRESPONSIVE_FOR_S every new connection fails at once. Statements that are answered quickly pay nothing for this.

workqueue.transport.circuit_breaker differs: commands to Redis are optional, so one timeout suffices to fail fast. Here
a slow answer must not fail other statements, so only a failed probe does.
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

PROBE_AFTER_S = 4.0  # wait for an answer before the first probe
PROBE_TIMEOUT_S = 5  # long enough for an overloaded machine; with PROBE_AFTER_S less than 10 s
UNRESPONSIVE_FOR_S = 2.0  # fail new connections for this long after a probe without an answer
# No statement of the runtime takes this long: the network dropped the packets of this connection only.
MAX_STATEMENT_S = 60.0


class ServerUnresponsiveError(psycopg.OperationalError):
    """PostgreSQL does not answer."""

    def __init__(self) -> None:
        super().__init__("PostgreSQL does not answer.")


class ServerMonitor:
    """Track whether a server answers, for this process. max_statement_s: a longer statement counts as lost."""

    def __init__(self, max_statement_s: float = MAX_STATEMENT_S) -> None:
        self.max_statement_s = max_statement_s
        self._lock = threading.Lock()
        self._unresponsive_until = self._answered_at = float("-inf")
        self._probe: Callable[[], object] | None = None

    def connect(self, *args: Any, **parameters: Any) -> "WatchedConnection":
        """Return a new connection; the parameters are psycopg's.

        Raises ServerUnresponsiveError while the server counts as unresponsive.
        """
        if time.monotonic() < self._unresponsive_until:
            raise ServerUnresponsiveError
        try:
            connection = WatchedConnection.connect(*args, **parameters)
        except ConnectionTimeout:
            self._unresponsive_until = time.monotonic() + UNRESPONSIVE_FOR_S
            raise
        connection.server = self
        self._probe = lambda: WatchedConnection.connect(
            *args, **parameters | {"connect_timeout": PROBE_TIMEOUT_S}
        ).close()
        return connection

    def is_unresponsive(self) -> bool:
        """Probe the server, unless another thread has just done so. Return True if it does not answer."""
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
            pass  # the server rejects the connection, so it answers
        else:
            self._answered_at = time.monotonic()


class WatchedConnection(psycopg.Connection[Any]):
    """A connection whose statements fail instead of waiting forever for an unresponsive server."""

    server: ServerMonitor | None = None

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Override psycopg's wait, which every exchange with the server uses. Raises ServerUnresponsiveError."""
        if timeout is not None or self.server is None:
            return super().wait(gen, interval, timeout)
        started = time.monotonic()
        waiting: PQGen[Result] = gen
        while True:
            try:
                return super().wait(waiting, interval, PROBE_AFTER_S)
            except _WaitTimeout:
                if self.server.is_unresponsive() or time.monotonic() - started > self.server.max_statement_s:
                    self.pgconn.finish()  # the pool drops the connection, so no caller reads a late answer
                    raise ServerUnresponsiveError from None
            waiting = _resume(gen)


def _resume(gen: PQGen[Result]) -> Generator[Any, Any, Result]:
    """Continue a generator that a timed-out wait left in the middle."""
    try:
        needed = gen.send(Ready.NONE)
        while True:
            needed = gen.send((yield needed))
    except StopIteration as stop:
        answer: Result = stop.value
        return answer
