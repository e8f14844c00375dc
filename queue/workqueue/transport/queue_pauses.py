"""Paused queues: a row in PostgreSQL is the pause. What waits in one stays pending, is not rung and not claimed.

The claim asks the rows, so a bell that was rung before is answered in vain; the reconciler rings again once the
queue is resumed. An emptied Redis changes nothing.
"""

import logging
import threading
import time
from datetime import datetime

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.engine import autocommit
from workqueue.audit import AuditEntry, record
from workqueue.database import error_summary

log = logging.getLogger(__name__)

REFRESH_S = 0.5  # a process that rings asks so often; what it rings meanwhile is not claimed


def pause(engine: Engine, name: str, now: datetime, act: AuditEntry | None = None) -> None:
    """From its commit on nothing of this queue is claimed; what runs goes on. To pause twice changes nothing."""
    statement = text("INSERT INTO paused_queue (name, paused_at) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING")
    with engine.begin() as connection:
        if connection.execute(statement, {"name": name, "now": now}).rowcount:
            record(connection, act)


def resume(engine: Engine, name: str, act: AuditEntry | None = None) -> None:
    """What waits is rung by the reconciler within seconds."""
    with engine.begin() as connection:
        if connection.execute(text("DELETE FROM paused_queue WHERE name = :name"), {"name": name}).rowcount:
            record(connection, act)


def list_pauses(engine: Engine) -> dict[str, datetime]:
    """The paused queues, and since when they are."""
    with autocommit(engine) as connection:
        return read(connection)


def read(connection: Connection) -> dict[str, datetime]:
    """The same, on a connection that is there already."""
    rows = connection.execute(text("SELECT name, paused_at FROM paused_queue ORDER BY name"))
    return {row.name: row.paused_at for row in rows}


class QueuePauses:
    """What a process that rings knows of pauses: half a second old at the most, or from before an outage."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self._asked_at = float("-inf")

    def names(self) -> frozenset[str]:
        """Never waits for another thread that asks, and never raises: whoever rings has committed already."""
        if time.monotonic() - self._asked_at >= REFRESH_S and self._lock.acquire(blocking=False):
            try:
                self._names = frozenset(list_pauses(self._engine))
                self._asked_at = time.monotonic()
            except (DBAPIError, PoolTimeoutError) as error:
                log.debug("pauses could not be read", extra={"error": error_summary(error)})
            finally:
                self._lock.release()
        return self._names
