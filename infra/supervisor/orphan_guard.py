"""End the children of a killed `localfn up`.

The guard reads from a pipe. The system closes the other end however `up` ends, but not while `up` is frozen. This works
on every system and for foreign servers, and keeps the order: first the processes that use the database, with their
grace time, then the database. A signal at the parent's death (PR_SET_PDEATHSIG) offers neither. The guard also holds
the lock of the home, so that the next `up` waits for it. While it waits it is a shell, which takes 6 MB less than
Python.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.supervisor.control_socket import startup_environment
from infra.supervisor.output import print_message
from infra.supervisor.pid_records import PidRecords

BOOT = "import localfn_runtime; from infra.supervisor.orphan_guard import main; main()"
# At a shutdown of the machine `up` gets the signals, too.
WAIT = 'trap "" INT TERM HUP; read -r word; [ "$word" = stop ] || exec "$0" "$@"'
ORDERLY_STOP = b"stop\n"
MIN_LIFETIME_S = 1.0  # a guard that exits sooner is not restarted: it would exit again


class OrphanGuard:
    """Guard all children of `up`, as a context manager; a regular exit dismisses the guard.

    lock: the descriptor of the home's lock.
    """

    def __init__(self, home: Path, lock: int) -> None:
        self._home, self._lock = home, lock
        self._reader, self._writer = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    def __enter__(self) -> "OrphanGuard":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._writer, ORDERLY_STOP)
        os.close(self._writer)
        os.close(self._reader)
        if self._process is not None:
            self._process.wait()

    def reaped(self, pid: int, exit_code: int) -> None:
        """Restart the guard if the process that has ended was the guard."""
        if self._process is None or self._process.pid != pid:
            return
        self._process.returncode = exit_code
        self._process = None
        if time.monotonic() - self._started_at > MIN_LIFETIME_S:
            self._start()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", WAIT, sys.executable, "-P", "-c", BOOT, str(self._home)],
            stdin=self._reader,
            stdout=subprocess.DEVNULL,
            env=startup_environment(os.environ),
            pass_fds=(self._lock,),
            start_new_session=True,  # the terminal's Ctrl-C is for `up` alone
        )


def main() -> None:
    """End all processes that a killed `up` left. Argument: the home."""
    home = Path(sys.argv[1])
    ended = PidRecords(home / "run").recover()
    # A killed `up` may have started a server without recording it.
    Postgres(home).end_leftovers()
    Redis(home).end_leftovers()
    print_message(f"`up` was killed; its processes were ended: {', '.join(ended) or 'none were left'}.")
