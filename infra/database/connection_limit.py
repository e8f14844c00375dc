"""Compare the connections that all processes may open with those that PostgreSQL allows."""

import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from infra.config.capacity import CONNECTIONS, max_connections_of
from workqueue.heartbeats.session_names import Process, read_session_name

LIMITS = text(
    """
    SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true)::int, 0)  -- since PostgreSQL 16
    """
)
SESSIONS = text(
    """
    SELECT application_name, count(*) AS sessions FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY application_name
    """
)


@dataclass(frozen=True)
class ConnectionLimit:
    """Hold the limit of a server, and who uses it.

    reserved: connections for superusers. others: sessions of commands and of other programs, at this moment.
    processes: live processes of all localfn on the server. here: those of them on this host.
    """

    max_connections: int
    reserved: int
    others: int
    processes: Mapping[Process, int]
    here: Mapping[Process, int]

    def missing_with(self, further: Mapping[Process, int]) -> int:
        """Return how many connections the live processes and these further ones lack; 0 if there are enough."""
        return max(0, self.needed_with(further) + self.others - (self.max_connections - self.reserved))

    def needed_with(self, further: Mapping[Process, int]) -> int:
        return max_connections_of(self.processes) + max_connections_of(further)

    def advice(self, further: Mapping[Process, int], workers: int) -> str:
        """Say which number to change, and to what. workers: the worker processes of this machine."""
        missing = self.missing_with(further)
        advice = f"set max_connections of PostgreSQL to {self.max_connections + missing} or more"
        fitting = workers - -(-missing // CONNECTIONS[Process.WORKER])
        return f"{advice}, or LOCALFN_WORKERS to {fitting} or less" if fitting > 0 else advice


def read_limit(connection: Connection) -> ConnectionLimit:
    """Read the limit, and the sessions that are open now."""
    max_connections, reserved = connection.execute(LIMITS).one()
    names = {row.application_name: row.sessions for row in connection.execute(SESSIONS)}
    return count_processes(max_connections, reserved, names, socket.gethostname())


def count_processes(max_connections: int, reserved: int, sessions: Mapping[str, int], host: str) -> ConnectionLimit:
    """Count the processes behind these sessions. sessions: application_name -> number."""
    others = sum(count for name, count in sessions.items() if read_session_name(name) is None)
    found = [process for name in sessions if (process := read_session_name(name))]
    # PostgreSQL may have cut the host's name.
    here = _count(kind for kind, shown in found if host.startswith(shown))
    return ConnectionLimit(max_connections, reserved, others, _count(kind for kind, _ in found), here)


def _count(kinds: Iterable[Process]) -> dict[Process, int]:
    return dict(Counter(kinds))
