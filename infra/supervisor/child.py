"""Run one supervised child: its specification and its current process."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from infra.supervisor.control_socket import VARIABLE, ControlSocket, startup_environment
from workqueue.backoff import Backoff
from workqueue.sandboxes.exits.exit_status import describe_exit

DEFAULT_STOP_STEPS = ((signal.SIGTERM, 7.0),)
# A second SIGTERM tells a worker to give back its requests at once.
HURRIED_STEP = (signal.SIGTERM, 3.0)
FIRST_RESTART_S, MAX_RESTART_S = 0.1, 5.0
# The restart delay of a child that ran this long starts again at the first one.
HEALTHY_S = 10.0


class SupervisedProcess(Protocol):
    """A running process, as `subprocess.Popen` describes it."""

    pid: int
    returncode: int | Any

    @property
    def stdout(self) -> IO[bytes] | None: ...

    @property
    def stderr(self) -> IO[bytes] | None: ...


Spawn = Callable[[Sequence[str], Mapping[str, str], Sequence[int]], SupervisedProcess]


def spawn(command: Sequence[str], env: Mapping[str, str], fds: Sequence[int]) -> SupervisedProcess:
    """Start a process with its output in pipes, in a session of its own. fds: descriptors that it inherits."""
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=fds,
        start_new_session=True,
        bufsize=0,
    )


def always_ready() -> bool:
    return True


def nothing_to_prepare() -> None:
    return None


@dataclass(frozen=True)
class ChildSpec:
    """Describe how to run a child and how to stop it."""

    name: str
    command: Callable[[], Sequence[str]]
    # Environment of the process, sent over the control socket; None: only the startup variables.
    variables: Mapping[str, str] | None = field(default=None, repr=False)
    # Starts the process.
    spawn: Spawn = spawn
    # Called before every start, also after a crash.
    prepare: Callable[[], None] = nothing_to_prepare
    is_ready: Callable[[], bool] = always_ready
    # The process itself reports over the control socket that it is ready.
    reports_ready: bool = False
    # Signals in order, each with a timeout in seconds; SIGKILL to the whole tree follows the last.
    stop_steps: Sequence[tuple[signal.Signals, float]] = DEFAULT_STOP_STEPS
    # The step after a second Ctrl-C, which cuts the first one short; a third Ctrl-C kills.
    hurried_step: tuple[signal.Signals, float] | None = None
    # Output lines to drop.
    noise: re.Pattern[bytes] | None = None
    # Host and port of a process that serves HTTP; other commands find them in its record.
    address: tuple[str, int] | None = None
    # Socket that it serves; `up` holds it, so connections wait in its queue while the process starts again.
    listener: socket.socket | None = None
    # The process runs to its end and is not restarted.
    one_shot: bool = False


class Child:
    """Manage one child over its starts and exits."""

    def __init__(self, spec: ChildSpec, stage: int) -> None:
        self.spec = spec
        self.stage = stage
        self.process: SupervisedProcess | None = None
        self.exit_code: int | None = None
        # Consecutive exits before the child was ready; the supervisor gives up on a child that never is.
        self.failures = 0
        self.starts = 0
        self.exit_reason = ""
        self.start_at: float | None = None
        self._control: ControlSocket | None = None
        self._started_at = 0.0
        self._backoff = Backoff(FIRST_RESTART_S, MAX_RESTART_S)

    @property
    def name(self) -> str:
        return self.spec.name

    def start(self) -> SupervisedProcess:
        """Spawn the process with its output in pipes; call `hand_over` afterwards.

        The process gets its own session: the terminal's Ctrl-C reaches only `up`, which stops its children in order.
        """
        self.spec.prepare()
        self.starts += 1
        self.start_at = None
        self.exit_code = None
        self._started_at = time.monotonic()
        self._close_control()
        env, fds = startup_environment(os.environ), list[int]()
        if self.spec.variables is not None:
            self._control = ControlSocket(self.spec.variables, self.spec.listener)
            fds = [self._control.fd]
            env[VARIABLE] = str(self._control.fd)
        self.process = self.spec.spawn(self.spec.command(), env, fds)
        return self.process

    def hand_over(self) -> None:
        """Send the process its environment, once its record exists."""
        if self._control is not None:
            self._control.hand_over()

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    def record_exit(self, exit_code: int, last_line: str = "") -> None:
        """Record the exit. last_line: the last line on stderr, where a program reports its reason."""
        if self.process is not None:
            # Otherwise Popen warns that the process was never waited for; the supervisor has reaped it.
            self.process.returncode = exit_code
        self.process = None
        self._close_control()
        self.exit_code = exit_code
        self.failures += 1
        # Keep the reason of the first exit: later ones may be its consequences.
        if self.failures == 1:
            self.exit_reason = f"it {describe_exit(exit_code)}{f': {last_line}' if last_line else '.'}"

    def delay_restart(self) -> float:
        """Schedule the restart; return the delay in seconds."""
        now = time.monotonic()
        if now - self._started_at >= HEALTHY_S:
            self._backoff.reset()
        delay_s = self._backoff.next_s()
        self.start_at = now + delay_s
        return delay_s

    def is_due(self) -> bool:
        return self.process is None and self.start_at is not None and time.monotonic() >= self.start_at

    def is_ready(self) -> bool:
        if self.process is None or not self._has_reported_ready() or not self.spec.is_ready():
            return False
        self.failures = 0
        return True

    def _has_reported_ready(self) -> bool:
        return not self.spec.reports_ready or (self._control is not None and self._control.is_ready())
