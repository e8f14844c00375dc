"""End the children of a killed `localfn up`.

The guard reads from a pipe. The system closes the other end however `up` ends, but not while `up` is frozen. This works
on every system and for foreign servers, and keeps the order: first the processes that use the database, with their
grace time, then the database. A signal at the parent's death (PR_SET_PDEATHSIG) offers neither. The guard also holds
the lock of the home, so that the next `up` waits for it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from infra.supervisor.control_socket import startup_environment

# Not a command of localfn: the guard waits as long as `up` runs, and the command line takes another 13 MB.
BOOT = "import localfn_runtime; from infra.supervisor.orphan_guard import main; main()"
ORDERLY_STOP = b"."
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
            [sys.executable, "-P", "-c", BOOT, str(self._reader), str(self._home)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=startup_environment(os.environ),
            pass_fds=(self._reader, self._lock),
            start_new_session=True,  # the terminal's Ctrl-C is for `up` alone
        )


def main() -> None:
    """Wait until `up` has ended, then end all processes that it left. Arguments: the pipe's descriptor, the home."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # at a shutdown of the machine `up` gets the signal, too
    reader, home = sys.argv[1:]
    if os.read(int(reader), 1) != ORDERLY_STOP:
        _end_all(Path(home))


def _end_all(home: Path) -> None:
    # Imported late: the guard waits as long as `up` runs, and should use little memory.
    from infra.embedded.postgres import Postgres
    from infra.embedded.redis import Redis
    from infra.supervisor.output import print_message
    from infra.supervisor.pid_records import PidRecords

    ended = PidRecords(home / "run").recover()
    # A killed `up` may have started a server without recording it.
    Postgres(home).end_leftovers()
    Redis(home).end_leftovers()
    print_message(f"`up` was killed; its processes were ended: {', '.join(ended) or 'none were left'}.")
