"""Paused queues. A row in PostgreSQL is the pause: requests of the queue stay pending, are not rung and not claimed.

The claim reads the rows, so a bell that was rung before the pause has no effect. The reconciler rings again once the
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

REFRESH_S = 0.5  # the maximum age of the pauses in memory; the claim rejects bells of newer pauses


def pause(engine: Engine, name: str, now: datetime, act: AuditEntry | None = None) -> None:
    """Pause a queue. From the commit on none of its requests is claimed; running ones continue. Idempotent."""
    statement = text("INSERT INTO paused_queue (name, paused_at) VALUES (:name, :now) ON CONFLICT (name) DO NOTHING")
    with engine.begin() as connection:
        if connection.execute(statement, {"name": name, "now": now}).rowcount:
            record(connection, act)


def resume(engine: Engine, name: str, act: AuditEntry | None = None) -> None:
    """Resume a queue. The reconciler rings for its pending requests within seconds."""
    with engine.begin() as connection:
        if connection.execute(text("DELETE FROM paused_queue WHERE name = :name"), {"name": name}).rowcount:
            record(connection, act)


def list_pauses(engine: Engine) -> dict[str, datetime]:
    """Return the paused queues, each with the time of its pause."""
    with autocommit(engine) as connection:
        return read(connection)


def read(connection: Connection) -> dict[str, datetime]:
    """Return the paused queues as `list_pauses` does, on an open connection."""
    rows = connection.execute(text("SELECT name, paused_at FROM paused_queue ORDER BY name"))
    return {row.name: row.paused_at for row in rows}


class QueuePauses:
    """The pauses in memory, for a process that rings: at most REFRESH_S old while PostgreSQL is available."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    def names(self) -> frozenset[str]:
        """Return the paused queues, without waiting for another thread and without raising.

        The caller has committed already, and must not fail.
        """
        if time.monotonic() - self._read_at >= REFRESH_S and self._lock.acquire(blocking=False):
            try:
                self._names = frozenset(list_pauses(self._engine))
                self._read_at = time.monotonic()
            except (DBAPIError, PoolTimeoutError) as error:
                log.debug("queue pauses not read", extra={"error": error_summary(error)})
            finally:
                self._lock.release()
        return self._names
