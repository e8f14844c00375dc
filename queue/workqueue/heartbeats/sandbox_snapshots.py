"""Snapshots of the sandboxes of every machine, for display.

The process of a pool owns its sandboxes, and keeps no connection to the database, since it forks. It sends its list to
the housekeeper, a child of the pool, which stores it.
"""

import json
import socket
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, select, text

from schema.engine import autocommit, to_json
from schema.tables.operations import sandbox_note

INTERVAL_S = 2.0
ALIVE_WITHIN = timedelta(seconds=10)
FORGET_AFTER = timedelta(hours=1)
MAX_DATAGRAM_BYTES = 128 * 1024  # of one snapshot: a datagram of this size works on every system


@dataclass(frozen=True, slots=True)
class SandboxSnapshot:
    """Hold one sandbox. state: "idle" or "busy", which includes its start. worker: the worker that uses it."""

    id: str
    pid: int
    function: str | None
    state: str
    worker: str | None
    age_s: float


class SnapshotChannel:
    """Send snapshots from a pool to its housekeeper, by datagrams: neither waits for the other, the last one counts."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._receiver, self._sender):
            end.setblocking(False)
            # macOS: by default a datagram has at most 2 KiB, which is a list of ten sandboxes.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * MAX_DATAGRAM_BYTES)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * MAX_DATAGRAM_BYTES)

    def send(self, snapshots: list[SandboxSnapshot]) -> None:
        data = json.dumps([asdict(snapshot) for snapshot in snapshots]).encode()
        try:
            self._sender.send(data)
        except OSError:  # the buffer is full, or the list too long: the next snapshot replaces this one
            return

    def receive_latest(self) -> list[dict[str, Any]] | None:
        """Return the newest snapshot, None if none came since the last call."""
        data = None
        while True:
            try:
                data = self._receiver.recv(MAX_DATAGRAM_BYTES)
            except OSError:  # the buffer is empty
                return None if data is None else json.loads(data)

    def close(self) -> None:
        self._receiver.close()
        self._sender.close()


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
    """Store the snapshot of a pool, and delete those of pools that ended long ago."""
    values = {"pool": pool, "sandboxes": to_json(snapshots), "now": now, "forget_before": now - FORGET_AFTER}
    with autocommit(engine) as connection:
        connection.execute(STORE, values)


def list_sandboxes(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """Return the sandboxes of live pools: fields of the snapshot, `memory_mb` (resident, with children), and `host`."""
    statement = select(sandbox_note).where(sandbox_note.c.seen_at > now - ALIVE_WITHIN).order_by(sandbox_note.c.pool)
    rows = connection.execute(statement)
    return [snapshot | {"host": row.pool.rpartition(":")[0]} for row in rows for snapshot in row.sandboxes]
