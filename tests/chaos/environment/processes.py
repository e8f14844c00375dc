"""Find the processes of a run, by their parents and by tags in their environment."""

import contextlib
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from infra.embedded.stale_postmaster import find_processes
from tests.support.processes import children_of
from workqueue.sandboxes.process_tree import TAG


def find_running(pids: Iterable[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found


def add_children(parents: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [*parents, *(child for parent in parents for child in children_of(parent.pid))]


def find_forked(pool_pids: Iterable[int]) -> list[psutil.Process]:
    """Return workers and housekeepers: children of pools that run the pool's program."""
    return [
        child for pool in find_running(pool_pids) for child in children_of(pool.pid) if read_tag(child, TAG) is None
    ]


def find_sandboxes(pool_pids: Iterable[int]) -> list[psutil.Process]:
    """Return the sandboxes of the pools' workers."""
    return [
        child
        for worker in find_forked(pool_pids)
        for child in children_of(worker.pid)
        if read_tag(child, TAG) is not None
    ]


def find_tagged(name: str, value: str) -> list[psutil.Process]:
    """Return each process with this value of the variable `name` in its environment."""
    return [process for process in psutil.process_iter() if read_tag(process, name) == value]


def read_tag(process: psutil.Process, name: str) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(name)
    except (psutil.Error, OSError):
        return None


def find_postgres(data: Path) -> list[psutil.Process]:
    """Return the PostgreSQL processes of a data folder, the postmaster first."""
    return sorted(find_processes(data), key=lambda process: (process.create_time(), process.pid))


def send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def send_all(found: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in found:
        send(process, number)


def describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} (parent {process.ppid()}): {' '.join(process.cmdline())[:120]}"
    except psutil.Error:
        return str(process.pid)
