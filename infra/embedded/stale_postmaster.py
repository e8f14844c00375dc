"""Remove the postmaster.pid of a killed PostgreSQL without risk for the data.

The file keeps two servers from using one data folder, by the old server's pid and its shared memory. Another process
may have that pid meanwhile, and then PostgreSQL never starts again. Removing the file is safe only when no process of
the old server runs. So this module searches for them: their working directory is the data folder.
"""

import signal
from pathlib import Path

import psutil

from infra.supervisor.termination import terminate_trees

LEFTOVER_STEPS = ((signal.SIGQUIT, 3.0),)


def end_leftovers(data: Path) -> None:
    """End every PostgreSQL process of this data folder, then remove a stale postmaster.pid."""
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    terminate_trees([(process, LEFTOVER_STEPS) for process in find_processes(data)])
    if not find_processes(data):
        pid_file.unlink(missing_ok=True)


def find_processes(data: Path) -> list[psutil.Process]:
    """Return the PostgreSQL processes whose working directory is this data folder."""
    return [process for process in psutil.process_iter() if _works_in(process, data)]


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data.resolve()
    except (psutil.Error, OSError):
        return False
