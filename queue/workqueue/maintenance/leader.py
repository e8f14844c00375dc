"""Leadership: of any number of copies of a loop one runs, the others wait to."""

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

EVERY_S = 0.5
FROZEN_S = 4.0  # a leader whose process gave no sign for so long leads no more
SIGN_S = 1.0  # so often it gives one, however long its turn lasts


class LeadershipLostError(WorkqueueError):
    """The session that held the lock is gone, and the lock with it."""


def run_as_leader(
    engine: Engine,
    role: Lock,
    turn: Callable[[], None],
    stopping: threading.Event,
    *,
    begin: Callable[[], None] = lambda: None,
    follow: Callable[[], None] = lambda: None,
    pause_s: Callable[[], float] = lambda: EVERY_S,
) -> None:
    """Takes turns while it leads; ends when `stopping` is set.

    begin: called at the start of a lead, follow: when another copy leads. pause_s: how long to wait before the next
    turn. An outage of the database ends the lead, and what a turn raises else ends all.
    """
    while not stopping.is_set():
        try:
            with autocommit(engine) as connection:
                if _leads(connection, role):
                    try:
                        begin()
                        _take_turns(Leadership(connection), turn, stopping, pause_s)
                    finally:
                        connection.invalidate()  # back in the pool it would keep the lock
                else:
                    follow()
        except LeadershipLostError as lost:
            log.warning("the lead was lost, and is open to any copy", extra={"role": role.name, "error": str(lost)})
        except (DBAPIError, PoolTimeoutError) as error:
            log.warning(outage_description(error), extra={"error": error_summary(error)})
        stopping.wait(EVERY_S)


def _leads(connection: Connection, role: Lock) -> bool:
    """The lock belongs to the connection's session: it ends with the process, or with the connection.

    PostgreSQL ends the session of a leader that is frozen, so that another one leads.
    """
    connection.execute(text(f"SET idle_session_timeout = {int(FROZEN_S * 1000)}"))
    return try_lock_for_session(connection, role)


class Leadership:
    """A lead that is held. connection: the session that has the lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()  # two threads give signs, by one connection
        self._is_over = threading.Event()
        self._loss: str | None = None

    def confirm(self) -> None:
        """Raises LeadershipLostError when the session, and with it the lock, is gone; once it is, every time."""
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
        """A turn that lasts is no reason to lose the lead: a thread gives the signs of life, until the block ends."""
        thread = threading.Thread(target=self._give_signs, name="lead", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _give_signs(self) -> None:
        while not self._is_over.wait(SIGN_S):
            try:
                self.confirm()
            except LeadershipLostError:
                return  # whoever takes turns finds out before the next; two may lead until then, which harms nothing


def _take_turns(
    held: Leadership, turn: Callable[[], None], stopping: threading.Event, pause_s: Callable[[], float]
) -> None:
    with held.renewed():
        while not stopping.wait(pause_s()):
            held.confirm()
            turn()
