"""One supervised child: what to run, and the process that runs it now."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from infra.supervisor.control_socket import VARIABLE, ControlSocket, started_with
from workqueue.backoff import Backoff
from workqueue.sandboxes.exits.exit_status import describe_exit

GENTLY = ((signal.SIGTERM, 7.0),)
# Another SIGTERM tells a worker to give back at once what it runs.
HURRIED = (signal.SIGTERM, 3.0)
FIRST_RESTART_S, MAX_RESTART_S = 0.1, 5.0
# The restart delay of a child that ran this long starts again at the first one.
HEALTHY_S = 10.0


def always_ready() -> bool:
    return True


def nothing_to_prepare() -> None:
    return None


@dataclass(frozen=True)
class ChildSpec:
    """What to run and how to end it."""

    name: str
    command: Callable[[], Sequence[str]]
    # What the process finds in its environment beside what a program reads at its start; None: nothing.
    variables: Mapping[str, str] | None = field(default=None, repr=False)
    # Before every start, also after a crash.
    prepare: Callable[[], None] = nothing_to_prepare
    is_ready: Callable[[], bool] = always_ready
    # It says itself when it is ready, over its line.
    tells_ready: bool = False
    # Signals, gentle ones first, each with the seconds it is given; SIGKILL for all of it follows the last.
    stop_steps: Sequence[tuple[signal.Signals, float]] = GENTLY
    # The step that a second Ctrl-C takes instead of waiting for the first; a third one kills.
    hurried_step: tuple[signal.Signals, float] | None = None
    # Lines of its output that tell nobody anything.
    noise: re.Pattern[bytes] | None = None
    # Host and port, of a process that serves HTTP: other commands find them in its record.
    address: tuple[str, int] | None = None
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
        self.why_ended = ""
        self.start_at: float | None = None
        self._line: ControlSocket | None = None
        self._started_at = 0.0
        self._backoff = Backoff(FIRST_RESTART_S, MAX_RESTART_S)

    @property
    def name(self) -> str:
        return self.spec.name

    def start(self) -> subprocess.Popen[bytes]:
        """Spawn the process, its output in pipes; `hand_over` follows.

        In a session of its own: the terminal's Ctrl-C goes to `up` alone, which stops its children in order.
        """
        self.spec.prepare()
        self.start_at = None
        self.exit_code = None
        self._started_at = time.monotonic()
        self._close_line()
        env, fds = started_with(os.environ), list[int]()
        if self.spec.variables is not None:
            self._line = ControlSocket(self.spec.variables)
            fds = [self._line.fd]
            env[VARIABLE] = str(self._line.fd)
        self.process = subprocess.Popen(
            self.spec.command(),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=fds,
            start_new_session=True,
            bufsize=0,
        )
        return self.process

    def hand_over(self) -> None:
        """Give it its variables, once it is on record."""
        if self._line is not None:
            self._line.hand_over()

    def _close_line(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def ended(self, exit_code: int, last_words: str = "") -> None:
        """Note the end. last_words: the last line that it wrote on stderr, where a program tells its reason."""
        if self.process is not None:
            # Popen would else warn that nobody waited for it; the supervisor did.
            self.process.returncode = exit_code
        self.process = None
        self._close_line()
        self.exit_code = exit_code
        self.failures += 1
        # Of several ends the first is told: those that follow may be its consequences.
        if self.failures == 1:
            self.why_ended = f"it {describe_exit(exit_code)}{f': {last_words}' if last_words else '.'}"

    def delay_restart(self) -> float:
        """Set when to start again; returns the pause in seconds."""
        now = time.monotonic()
        if now - self._started_at >= HEALTHY_S:
            self._backoff.reset()
        delay_s = self._backoff.next_s()
        self.start_at = now + delay_s
        return delay_s

    def is_due(self) -> bool:
        return self.process is None and self.start_at is not None and time.monotonic() >= self.start_at

    def is_ready(self) -> bool:
        if self.process is None or not self._says_ready() or not self.spec.is_ready():
            return False
        self.failures = 0
        return True

    def _says_ready(self) -> bool:
        return not self.spec.tells_ready or (self._line is not None and self._line.is_ready())
