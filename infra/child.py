"""One supervised child: what to run, and the process that runs it now."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from infra.backoff import next_delay_s

GENTLY = ((signal.SIGTERM, 7.0),)


def always_ready() -> bool:
    return True


def nothing_to_prepare() -> None:
    return None


@dataclass(frozen=True)
class ChildSpec:
    """What to run and how to end it."""

    name: str
    command: Callable[[], Sequence[str]]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    # Before every start, also after a crash.
    prepare: Callable[[], None] = nothing_to_prepare
    is_ready: Callable[[], bool] = always_ready
    # Signals, gentle ones first, each with the seconds it is given; SIGKILL for all of it follows the last.
    stop_steps: Sequence[tuple[signal.Signals, float]] = GENTLY
    # Lines of its output that tell nobody anything.
    noise: re.Pattern[bytes] | None = None
    # Runs to its end and is not started again.
    one_shot: bool = False


class Child:
    """The life of one child: started, ended, started again."""

    def __init__(self, spec: ChildSpec, stage: int) -> None:
        self.spec = spec
        self.stage = stage
        self.process: subprocess.Popen[bytes] | None = None
        self.exit_code: int | None = None
        # Ends in a row before it was ready; the supervisor gives up on a child that never was.
        self.failures = 0
        self.start_at: float | None = None
        self._started_at = 0.0
        self._delay_s: float | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    def start(self) -> subprocess.Popen[bytes]:
        """Spawn the process, its output in pipes.

        In a session of its own: the terminal's Ctrl-C goes to us alone, and we stop the children in order.
        Without PR_SET_PDEATHSIG: when we are killed, workers finish what they have begun, which needs the
        database and Redis; the next `up` ends whatever is left.
        """
        self.spec.prepare()
        self.start_at = None
        self.exit_code = None
        self._started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.spec.command(),
            env=dict(self.spec.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        return self.process

    def ended(self, exit_code: int) -> None:
        if self.process is not None:
            # Popen would else warn that nobody waited for it; the supervisor did.
            self.process.returncode = exit_code
        self.process = None
        self.exit_code = exit_code
        self.failures += 1

    def delay_restart(self) -> float:
        """Set when to start again; returns the pause in seconds."""
        now = time.monotonic()
        self._delay_s = next_delay_s(self._delay_s, now - self._started_at)
        self.start_at = now + self._delay_s
        return self._delay_s

    def is_due(self) -> bool:
        return self.process is None and self.start_at is not None and time.monotonic() >= self.start_at

    def is_ready(self) -> bool:
        if self.process is None or not self.spec.is_ready():
            return False
        self.failures = 0
        return True

    def why_ended(self) -> str:
        return describe_exit(self.exit_code)


def describe_exit(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        try:
            return f"killed by {signal.Signals(-exit_code).name}"
        except ValueError:  # a real-time signal has no name
            return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"
