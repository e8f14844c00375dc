"""Snapshots of the sandboxes of every worker, for display."""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from schema.engine import autocommit, to_json
from schema.tables.operations import sandbox_note
from workqueue.database import error_summary

INTERVAL_S = 2.0
ALIVE_WITHIN = timedelta(seconds=10)
FORGET_AFTER = timedelta(hours=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SandboxSnapshot:
    """Hold one sandbox. state: "idle" or "busy", which includes its start. worker: the worker that uses it."""

    id: str
    pid: int
    function: str | None
    state: str
    worker: str | None
    age_s: float


def as_stored(snapshot: SandboxSnapshot, memory_mb: float) -> dict[str, Any]:
    """Return a snapshot as it is stored. memory_mb: resident, with children."""
    return asdict(snapshot) | {"memory_mb": memory_mb}


# In one statement, without waiting for the disk: the next snapshot replaces this one.
STORE = text(
    """
    WITH gone AS (DELETE FROM sandbox_note WHERE seen_at < :forget_before AND pool <> :pool)
    INSERT INTO sandbox_note (pool, sandboxes, seen_at)
    SELECT :pool, CAST(:sandboxes AS json), :now FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (pool) DO UPDATE SET sandboxes = excluded.sandboxes, seen_at = excluded.seen_at
    """
)


def store_snapshots(engine: Engine, pool: str, snapshots: list[dict[str, Any]], now: datetime) -> None:
    """Store the snapshot of a worker, and delete those of workers that ended long ago.

    pool: the name of the worker, which ends in "-" and a random part after the name of its host.
    """
    values = {"pool": pool, "sandboxes": to_json(snapshots), "now": now, "forget_before": now - FORGET_AFTER}
    with autocommit(engine) as connection:
        connection.execute(STORE, values)


def forget(engine: Engine, pool: str) -> None:
    """Delete the snapshot of a worker that ends in order."""
    try:
        with engine.begin() as connection:
            connection.execute(delete(sandbox_note).where(sandbox_note.c.pool == pool))
    except (DBAPIError, PoolTimeoutError) as error:
        log.debug("sandboxes not deleted", extra={"error": error_summary(error)})


def list_sandboxes(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Return the sandboxes of live pools: fields of the snapshot, `memory_mb` (resident, with children), and `host`."""
    statement = select(sandbox_note).where(sandbox_note.c.seen_at > now - ALIVE_WITHIN).order_by(sandbox_note.c.pool)
    rows = connection.execute(statement)
    return [snapshot | {"host": row.pool.rpartition("-")[0]} for row in rows for snapshot in row.sandboxes]
