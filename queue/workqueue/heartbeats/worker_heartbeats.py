"""Heartbeats of workers: each worker stores one every few seconds. For display and readiness; leases decide."""

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, RowMapping, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.engine import autocommit
from workqueue.clock import Clock
from workqueue.database import error_summary

log = logging.getLogger(__name__)

INTERVAL_S = 4.0
ALIVE_WITHIN_S = 12.0  # three heartbeats missed
SHOW_SILENT_FOR_S = 300.0  # a worker that stopped sending heartbeats
FORGET_AFTER_S = 3600.0

UPSERT_WORKER = text(
    """
    INSERT INTO worker (name, hostname, pid, queues, started_at, seen_at)
    SELECT :name, :hostname, :pid, :queues, :now, :now FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (name) DO UPDATE SET seen_at = :now
    """
)


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Hold a worker with a recent heartbeat. is_alive: the heartbeat is at most ALIVE_WITHIN_S old.

    request_id: the request that it runs, of `held` requests that it claimed together. since: the start of that request.
    """

    name: str
    hostname: str
    pid: int
    queues: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    is_alive: bool
    request_id: str | None
    function: str | None
    phase: str | None
    since: datetime | None
    held: int

    @property
    def state(self) -> str:
        return "unresponsive" if not self.is_alive else "busy" if self.request_id else "idle"


def beat(engine: Engine, clock: Clock, worker: str, queues: Sequence[str]) -> None:
    """Store that the worker of this process is alive.

    An outage of the database is only logged: the next heartbeat is stored again.
    worker: its name. queues: those that it serves.
    """
    values = {"name": worker, "hostname": socket.gethostname(), "pid": os.getpid(), "queues": ",".join(queues)}
    try:
        clock.refresh(engine)
        with autocommit(engine) as connection:
            connection.execute(UPSERT_WORKER, values | {"now": clock.now()})
    except (DBAPIError, PoolTimeoutError) as error:
        log.debug("worker heartbeat not stored", extra={"error": error_summary(error)})


def deregister(engine: Engine, worker: str) -> None:
    """Delete the row of a worker that ends in order, so that it is not shown as silent."""
    try:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM worker WHERE name = :name"), {"name": worker})
    except (DBAPIError, PoolTimeoutError) as error:
        log.debug("worker not deregistered", extra={"error": error_summary(error)})


SELECT_RECENT = text(
    """
    SELECT w.name, w.hostname, w.pid, w.queues, w.started_at, w.seen_at, r.id::text AS request_id, r.function, r.phase,
        r.started_at AS since, count(r.id) OVER (PARTITION BY w.name) AS held,
        row_number() OVER (PARTITION BY w.name ORDER BY r.id) AS position
    FROM worker w
    LEFT JOIN processing_request r ON r.worker = w.name AND r.status = 'processing'
    WHERE w.seen_at > :since ORDER BY w.started_at, w.name
    """
)


def list_alive(engine: Engine, clock: Clock) -> list[WorkerInfo]:
    """Return the workers that are alive, with the request that each runs."""
    clock.refresh(engine)
    with autocommit(engine) as connection:
        return [worker for worker in list_recent(connection, clock.now()) if worker.is_alive]


def list_recent(connection: Connection, now: datetime) -> list[WorkerInfo]:
    """Return workers that are alive, and those that became silent in the last minutes without deregistering."""
    rows = connection.execute(SELECT_RECENT, {"since": now - timedelta(seconds=SHOW_SILENT_FOR_S)}).mappings()
    alive_since = now - timedelta(seconds=ALIVE_WITHIN_S)
    return [_worker_info(row, alive_since) for row in rows if row["position"] == 1]


def _worker_info(row: RowMapping, alive_since: datetime) -> WorkerInfo:
    values = {name: value for name, value in row.items() if name not in ("position", "queues")}
    return WorkerInfo(**values, queues=tuple(row["queues"].split(",")), is_alive=row["seen_at"] > alive_since)


def delete_old(engine: Engine, now: datetime) -> None:
    """Delete the rows of workers that have been silent for FORGET_AFTER_S."""
    with engine.begin() as connection:
        connection.execute(
            text("DELETE FROM worker WHERE seen_at < :before"),
            {"before": now - timedelta(seconds=FORGET_AFTER_S)},
        )
