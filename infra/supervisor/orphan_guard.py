"""Ends what `localfn up` started when `up` itself is killed: `python -m infra.supervisor.orphan_guard DESCRIPTOR HOME`.

The guard reads from a pipe. The system closes the other end however `up` ends, and does not while `up` is only frozen.
That works on every system, for servers that are not localfn's own, and in the right order: first the processes that use
the database, with their grace, then the database. A signal at the death of the parent (PR_SET_PDEATHSIG) does neither.
The guard also holds the lock of the home, so that the next `up` waits for it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from infra.supervisor.control_socket import started_with

ORDERLY = b"."
SETTLED_S = 1.0  # a guard that ends sooner is not started again: it would end again


class Guard:
    """Use as a context manager around all that is started; leaving it says that nothing is left to guard.

    lock: the descriptor of the lock on the home.
    """

    def __init__(self, home: Path, lock: int) -> None:
        self._home, self._lock = home, lock
        self._reader, self._writer = os.pipe()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    def __enter__(self) -> "Guard":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._writer, ORDERLY)
        os.close(self._writer)
        os.close(self._reader)
        if self._process is not None:
            self._process.wait()

    def reaped(self, pid: int, exit_code: int) -> None:
        """Start another guard if this process, which has ended, was it."""
        if self._process is None or self._process.pid != pid:
            return
        self._process.returncode = exit_code
        self._process = None
        if time.monotonic() - self._started_at > SETTLED_S:
            self._start()

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "infra.supervisor.orphan_guard", str(self._reader), str(self._home)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=started_with(os.environ),
            pass_fds=(self._reader, self._lock),
            start_new_session=True,  # the terminal's Ctrl-C is for `up`
        )


def main(arguments: Sequence[str]) -> None:
    """Wait for the end of `up`, then end all processes that it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a machine that shuts down asks `up`, too
    if os.read(int(arguments[0]), 1) != ORDERLY:
        _end_all(Path(arguments[1]))


def _end_all(home: Path) -> None:
    # Imported only now: the guard waits for as long as `up` lives, in little memory.
    from infra.embedded.postgres import Postgres
    from infra.embedded.redis import Redis
    from infra.supervisor.output import say
    from infra.supervisor.pid_records import Records

    ended = Records(home / "run").recover()
    # A server that was started and not yet on record when `up` was killed.
    Postgres(home).end_leftovers()
    Redis(home).end_leftovers()
    say(f"`up` was killed; what it had started has ended: {', '.join(ended) or 'nothing'}.")


if __name__ == "__main__":
    main(sys.argv[1:])
