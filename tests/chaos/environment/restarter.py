"""Keeps one process running, as `localfn up` would: whatever ends is started again."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.chaos.evidence.event_log import Story

LOOK_S = 0.05
PAUSE_S = 0.25  # before a start that follows an end
DOWN_S = 3.0  # so long a start takes on a busy machine, and recovery waits for it


def nothing() -> None:
    return None


@dataclass
class Keeper:
    """prepare: before every start. away: while set, the process stays ended."""

    name: str
    command: Callable[[], Sequence[str]]
    env: dict[str, str] | None
    log: Path
    story: Story
    prepare: Callable[[], None] = nothing
    process: subprocess.Popen[bytes] | None = None
    away: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._start_once()
        self._thread = threading.Thread(target=self._keep, name=f"keeper of {self.name}", daemon=True)
        self._thread.start()

    def stop(self, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
        """Ends the process; False when it took SIGKILL."""
        self.let_go()
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

    def let_go(self) -> None:
        """From now on it is not started again."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._stopping.wait(LOOK_S):
            assert self.process is not None
            if self.process.poll() is None or self.away.is_set():
                continue
            self.story.add_restart(self.name, DOWN_S, f"after {self.process.returncode}")
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


def wait_ended(keepers: Sequence[Keeper], limit_s: float) -> list[str]:
    """Waits for all that were told to end; gives the names of those that did not in time."""
    deadline = time.monotonic() + limit_s
    late = []
    for keeper in keepers:
        assert keeper.process is not None
        try:
            keeper.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            late.append(keeper.name)
            keeper.process.kill()
            keeper.process.wait()
    return late
