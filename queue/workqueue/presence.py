"""Which workers live: each notes itself in the database now and then. Display and readiness only, no decisions."""

import logging
import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from workqueue.attempt import Runtime
from workqueue.clock import Clock
from workqueue.persist import first_line

log = logging.getLogger(__name__)

EVERY_S = 4.0
GONE_AFTER_S = 12.0  # three notes missed
FORGET_AFTER_S = 3600.0

NOTE = text(
    """
    INSERT INTO worker (name, hostname, pid, queues, started_at, seen_at)
    VALUES (:name, :hostname, :pid, :queues, :now, :now)
    ON CONFLICT (name) DO UPDATE SET seen_at = :now
    """
)


@dataclass(frozen=True, slots=True)
class Present:
    """A worker that lives. request_id: what it runs now."""

    name: str
    hostname: str
    pid: int
    queues: str
    started_at: datetime
    seen_at: datetime
    request_id: str | None
    function: str | None


def note(runtime: Runtime) -> None:
    """This worker lives. An outage of the database is nobody's concern here."""
    values = {"name": runtime.worker, "hostname": socket.gethostname(), "pid": os.getpid()}
    try:
        runtime.clock.refresh(runtime.engine)
        with runtime.engine.begin() as connection:
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            connection.execute(NOTE, values | {"queues": ",".join(runtime.queues), "now": runtime.clock.now()})
    except (DBAPIError, PoolTimeoutError) as error:
        log.debug("this worker could not be noted", extra={"error": first_line(error)})


def leave(runtime: Runtime) -> None:
    """This worker ends in order."""
    try:
        with runtime.engine.begin() as connection:
            connection.execute(text("DELETE FROM worker WHERE name = :name"), {"name": runtime.worker})
    except (DBAPIError, PoolTimeoutError) as error:
        log.debug("this worker could not be removed", extra={"error": first_line(error)})


def present(engine: Engine, clock: Clock) -> list[Present]:
    """Workers seen lately, with what each runs."""
    statement = text(
        """
        SELECT w.name, w.hostname, w.pid, w.queues, w.started_at, w.seen_at, r.id::text, r.function
        FROM worker w
        LEFT JOIN processing_request r ON r.worker = w.name AND r.status = 'processing'
        WHERE w.seen_at > :since ORDER BY w.started_at, w.name
        """
    )
    with engine.connect() as connection:
        rows = connection.execute(statement, {"since": clock.now() - timedelta(seconds=GONE_AFTER_S)})
        return [Present(*row) for row in rows]


def forget_gone(engine: Engine, now: datetime) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("DELETE FROM worker WHERE seen_at < :before"),
            {"before": now - timedelta(seconds=FORGET_AFTER_S)},
        )
