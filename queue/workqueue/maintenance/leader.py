"""Leader election: of any number of copies of a loop one runs, and the others stand by.

The loops of a process share one session, which holds the locks of those that lead. One thread keeps the session alive.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.advisory_locks import Lock, try_lock_for_session, unlock_for_session
from schema.engine import autocommit
from workqueue.database import error_summary, outage_description
from workqueue.errors import WorkqueueError

log = logging.getLogger(__name__)

ITERATION_S = 0.5
FROZEN_S = 4.0  # a process that sends no statement for this long loses its locks
RENEW_S = 1.5  # interval of the keepalive statements


class LeadershipLostError(WorkqueueError):
    """The session that held the lock has ended, and the lock with it."""


class LeaderSession:
    """The session that holds this process's locks. Thread-safe. It ends with the last loop that uses it.

    PostgreSQL ends the session of a frozen process, so that another copy leads.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()  # several threads use the connection
        self._connection: Connection | None = None
        self._number = 0  # of the current session; a new session holds no lock of an earlier one
        self._used_at = 0.0
        self._loss = ""  # why the last session ended
        self._users = 0
        self._is_over = threading.Event()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the session alive until the block ends, in a thread of its own: an iteration may take long."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._is_over = threading.Event()
                threading.Thread(target=self._renew, args=(self._is_over,), name="leadership", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._is_over.set()
                    self._end()

    def try_to_lead(self, role: Lock) -> int | None:
        """Try to take the lock of this role. Return the session's number if this process leads now; else None.

        Raises DBAPIError during an outage of PostgreSQL.
        """
        with self._lock:
            connection = self._connection or self._begin()
            try:
                is_leader = try_lock_for_session(connection, role)
            except DBAPIError as error:
                self._end(error_summary(error))
                raise
            self._used_at = time.monotonic()
            return self._number if is_leader else None

    def confirm(self, number: int) -> None:
        """Confirm that this session still holds its locks. Raises LeadershipLostError.

        It asks PostgreSQL only if the keepalive statements are late: this process was frozen.
        """
        with self._lock:
            if number == self._number and time.monotonic() - self._used_at >= FROZEN_S / 2:
                self._ping()
            if number != self._number or self._connection is None:
                raise LeadershipLostError(self._loss)

    def release(self, role: Lock, number: int) -> None:
        """Let another copy lead."""
        with self._lock:
            if number != self._number or self._connection is None:
                return
            try:
                unlock_for_session(self._connection, role)
            except DBAPIError as error:
                self._end(error_summary(error))

    def _renew(self, is_over: threading.Event) -> None:
        while not is_over.wait(RENEW_S):
            with self._lock:
                self._ping()

    def _ping(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.execute(text("SELECT 1"))
        except DBAPIError as error:
            # The loops check this before their next iteration. Two copies may lead until then, which is harmless.
            self._end(error_summary(error))
        else:
            self._used_at = time.monotonic()

    def _begin(self) -> Connection:
        connection = autocommit(self._engine)
        try:
            connection.execute(text(f"SET idle_session_timeout = {int(FROZEN_S * 1000)}"))
        except DBAPIError:
            connection.invalidate()
            connection.close()
            raise
        self._connection, self._number = connection, self._number + 1
        return connection

    def _end(self, loss: str = "") -> None:
        if self._connection is not None:
            self._loss = loss
            self._connection.invalidate()  # a pooled connection would keep the locks
            self._connection.close()
            self._connection = None


def run_as_leader(
    session: LeaderSession,
    role: Lock,
    run_iteration: Callable[[], None],
    stopping: threading.Event,
    *,
    on_elected: Callable[[], None] = lambda: None,
    on_standby: Callable[[], None] = lambda: None,
    pause_s: Callable[[], float] = lambda: ITERATION_S,
    on_turn: Callable[[], None] = lambda: None,
) -> None:
    """Run iterations while this process leads. Return when `stopping` is set.

    on_elected: called when the process becomes the leader. on_standby: called while another copy leads. pause_s:
    returns the wait before the next iteration. on_turn: called before each iteration and each attempt to lead. An
    outage of PostgreSQL ends the leadership; other errors are raised.
    """
    with session.in_use():
        while not stopping.is_set():
            on_turn()
            try:
                number = session.try_to_lead(role)
                if number is None:
                    on_standby()
                else:
                    try:
                        on_elected()
                        while not stopping.wait(pause_s()):
                            on_turn()
                            session.confirm(number)
                            run_iteration()
                    finally:
                        session.release(role, number)
            except LeadershipLostError as lost:
                log.warning("leadership lost", extra={"role": role.name, "error": str(lost)})
            except (DBAPIError, PoolTimeoutError) as error:
                log.warning(
                    "leader election failed", extra={"reason": outage_description(error), "error": error_summary(error)}
                )
            stopping.wait(ITERATION_S)
