"""What a killed PostgreSQL leaves behind, and how to clear it without risking the data.

postmaster.pid keeps two servers off one data folder, by the old server's pid and by its shared memory. Its
pid may by now be anybody's, and then PostgreSQL refuses to start for ever. Removing the file is safe only
when no process of the old server lives any more, so those are looked for in their own right: every one of
them works in the data folder.
"""

import signal
from pathlib import Path

import psutil

from infra.supervisor.termination import terminate_trees

LEFTOVER_STEPS = ((signal.SIGQUIT, 3.0),)


def end_leftovers(data: Path) -> None:
    """End every PostgreSQL process of this data folder; then no postmaster.pid stays without one."""
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    terminate_trees([(process, LEFTOVER_STEPS) for process in find_processes(data)])
    if not find_processes(data):
        pid_file.unlink(missing_ok=True)


def find_processes(data: Path) -> list[psutil.Process]:
    """The PostgreSQL processes whose working directory is this data folder."""
    return [process for process in psutil.process_iter() if _works_in(process, data)]


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data.resolve()
    except (psutil.Error, OSError):
        return False
