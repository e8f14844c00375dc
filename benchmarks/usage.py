"""Read the processor time, memory (Linux) and database connections of a system that is measured."""

from collections.abc import Iterable
from pathlib import Path

import psutil
import psycopg

CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
KIB_PER_MB = 1000 * 1000 / 1024


def processor_s(pids: Iterable[int]) -> float:
    """Return the processor time of processes and their descendants, with those that have ended and were waited for."""
    total = 0.0
    for process in _trees(pids):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # it has just ended: its parent has its time
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mb(pids: Iterable[int]) -> float:
    """Return the memory of processes and their descendants; what several share is counted once (PSS)."""
    return sum(own_memory_mb(process.pid) for process in _trees(pids))


def own_memory_mb(pid: int) -> float:
    """Return the memory of one process (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / KIB_PER_MB


def connections(database_url: str) -> int:
    """Return the number of connections to PostgreSQL, excluding its own. database_url: in the form of libpq."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(CONNECTIONS).fetchone()
        assert row is not None
        return int(row[0])


def _trees(pids: Iterable[int]) -> list[psutil.Process]:
    roots = [psutil.Process(pid) for pid in pids]
    return [each for root in roots for each in (root, *root.children(recursive=True))]
