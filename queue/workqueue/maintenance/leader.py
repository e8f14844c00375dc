"""Leader election: of any number of copies of a loop one runs, and the others stand by."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.advisory_locks import Lock, try_lock_for_session
from schema.engine import autocommit
from workqueue.database import error_summary, outage_description
from workqueue.errors import WorkqueueError

log = logging.getLogger(__name__)

ITERATION_S = 0.5
FROZEN_S = 4.0  # a leader that sends no statement for this long loses its lock
RENEW_S = 1.0  # interval of the keepalive statements, also during a long iteration


class LeadershipLostError(WorkqueueError):
    """The session that held the lock has ended, and the lock with it."""


def run_as_leader(
    engine: Engine,
    role: Lock,
    run_iteration: Callable[[], None],
    stopping: threading.Event,
    *,
    on_elected: Callable[[], None] = lambda: None,
    on_standby: Callable[[], None] = lambda: None,
    pause_s: Callable[[], float] = lambda: ITERATION_S,
) -> None:
    """Run iterations while this process leads. Return when `stopping` is set.

    on_elected: called when the process becomes the leader. on_standby: called while another copy leads. pause_s:
    returns the wait before the next iteration. An outage of PostgreSQL ends the leadership; other errors are raised.
    """
    while not stopping.is_set():
        try:
            with autocommit(engine) as connection:
                if _try_to_lead(connection, role):
                    try:
                        on_elected()
                        _run_iterations(Leadership(connection), run_iteration, stopping, pause_s)
                    finally:
                        connection.invalidate()  # a pooled connection would keep the lock
                else:
                    on_standby()
        except LeadershipLostError as lost:
            log.warning("leadership lost", extra={"role": role.name, "error": str(lost)})
        except (DBAPIError, PoolTimeoutError) as error:
            log.warning(
                "leader election failed", extra={"reason": outage_description(error), "error": error_summary(error)}
            )
        stopping.wait(ITERATION_S)


def _try_to_lead(connection: Connection, role: Lock) -> bool:
    """Try to take the lock for this session; return True if this process leads now.

    The lock ends with the session. PostgreSQL ends the session of a frozen leader, so that another copy leads.
    """
    connection.execute(text(f"SET idle_session_timeout = {int(FROZEN_S * 1000)}"))
    return try_lock_for_session(connection, role)


class Leadership:
    """The leadership of this process. connection: the session that holds the lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()  # two threads use the connection
        self._is_over = threading.Event()
        self._loss: str | None = None

    def confirm(self) -> None:
        """Send a keepalive statement. Raises LeadershipLostError once the session, and with it the lock, has ended."""
        with self._lock:
            if self._loss is None:
                try:
                    self._connection.execute(text("SELECT 1"))
                except DBAPIError as error:
                    self._loss = error_summary(error)
            if self._loss is not None:
                raise LeadershipLostError(self._loss)

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """Keep the leadership during long iterations: a thread sends keepalive statements until the block ends."""
        thread = threading.Thread(target=self._renew, name="leadership", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _renew(self) -> None:
        while not self._is_over.wait(RENEW_S):
            try:
                self.confirm()
            except LeadershipLostError:
                # The loop checks this before its next iteration. Two copies may lead until then, which is harmless.
                return


def _run_iterations(
    leadership: Leadership, run_iteration: Callable[[], None], stopping: threading.Event, pause_s: Callable[[], float]
) -> None:
    with leadership.renewed():
        while not stopping.wait(pause_s()):
            leadership.confirm()
            run_iteration()
