"""The sandboxes of every machine, as their pools note them: the pool's parent owns them, its scout writes.

The pool itself keeps no connection to the database, since it forks; it hands its list to the scout.
"""

import json
import socket
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from schema.tables.operations import sandbox_note

INTERVAL_S = 2.0
ALIVE_WITHIN = timedelta(seconds=10)
FORGET_AFTER = timedelta(hours=1)
MAX_DATAGRAM_BYTES = 128 * 1024  # of one note: what a datagram holds everywhere


@dataclass(frozen=True, slots=True)
class SandboxSnapshot:
    """One sandbox. state: idle or busy, which includes its start. worker: who borrowed it."""

    id: str
    pid: int
    function: str | None
    state: str
    worker: str | None
    age_s: float


class SnapshotChannel:
    """From the pool to its scout, by datagrams: neither ever waits for the other, and only the last one counts."""

    def __init__(self) -> None:
        self._scouts, self._pools = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self._scouts, self._pools):
            end.setblocking(False)

    def send(self, notes: list[SandboxSnapshot]) -> None:
        data = json.dumps([asdict(note) for note in notes]).encode()
        try:
            self._pools.send(data)
        except OSError:  # nobody reads, or it is too long: the next one says all that this one did
            return

    def receive_latest(self) -> list[dict[str, Any]] | None:
        """The newest list; None when none has come since."""
        found = None
        while True:
            try:
                found = self._scouts.recv(MAX_DATAGRAM_BYTES)
            except OSError:  # nothing more
                return None if found is None else json.loads(found)

    def close(self) -> None:
        self._scouts.close()
        self._pools.close()


def store_snapshots(engine: Engine, pool: str, notes: list[dict[str, Any]], now: datetime) -> None:
    values = {"sandboxes": notes, "seen_at": now}
    statement = insert(sandbox_note).values(pool=pool, **values)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        connection.execute(statement.on_conflict_do_update(index_elements=["pool"], set_=values))
        connection.execute(delete(sandbox_note).where(sandbox_note.c.seen_at < now - FORGET_AFTER))


def list_sandboxes(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """The sandboxes of pools that live: what was noted, `memory_mb` (resident, children included), and `host`."""
    statement = select(sandbox_note).where(sandbox_note.c.seen_at > now - ALIVE_WITHIN).order_by(sandbox_note.c.pool)
    rows = connection.execute(statement)
    return [note | {"host": row.pool.rpartition(":")[0]} for row in rows for note in row.sandboxes]
