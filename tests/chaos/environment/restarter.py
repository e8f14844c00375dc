"""Restart a process when it ends, as `localfn up` does."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.chaos.evidence.event_log import EventLog

POLL_S = 0.05
PAUSE_S = 0.25  # before a restart
DOWN_S = 3.0  # duration of a start on a busy machine; recovery waits for it


def do_nothing() -> None:
    return None


@dataclass
class Restarter:
    """Run one process and restart it.

    prepare: called before each start. away: while set, the process is not restarted.
    """

    name: str
    command: Callable[[], Sequence[str]]
    env: dict[str, str] | None
    log: Path
    event_log: EventLog
    prepare: Callable[[], None] = do_nothing
    process: subprocess.Popen[bytes] | None = None
    away: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._start_once()
        self._thread = threading.Thread(target=self._keep, name=f"restarter of {self.name}", daemon=True)
        self._thread.start()

    def stop(self, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
        """End the process; return False if it needed SIGKILL."""
        self.stop_restarting()
        assert self.process is not None
        for number, patience_s in steps:
            self.process.send_signal(number)
            try:
                self.process.wait(patience_s)
                return True
            except subprocess.TimeoutExpired:
                continue
        self.process.kill()
        self.process.wait()
        return False

    def stop_restarting(self) -> None:
        """Stop restarting the process."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._stopping.wait(POLL_S):
            assert self.process is not None
            if self.process.poll() is None or self.away.is_set():
                continue
            self.event_log.add_restart(self.name, DOWN_S, f"after {self.process.returncode}")
            if not self._stopping.wait(PAUSE_S):
                self._start_once()

    def _start_once(self) -> None:
        self.prepare()
        with self.log.open("ab") as log:
            self.process = self._spawn(log)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(),
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_ended(restarters: Sequence[Restarter], limit_s: float) -> list[str]:
    """Wait for processes that end; kill the others after the limit, and return their names."""
    deadline = time.monotonic() + limit_s
    late = []
    for restarter in restarters:
        assert restarter.process is not None
        try:
            restarter.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            late.append(restarter.name)
            restarter.process.kill()
            restarter.process.wait()
    return late
