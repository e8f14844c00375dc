"""Run the children and restart each after an exit, so that nothing stays down after a kill.

One thread and one selector. Children start in stages: each stage is ready before the next starts. They stop in the
opposite order: clients of the database stop before the database.
"""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType

import psutil

from infra.errors import InfraError, ServerFailedError
from infra.supervisor.child import Child, ChildSpec
from infra.supervisor.orphan_guard import OrphanGuard
from infra.supervisor.output import Output, print_message
from infra.supervisor.pid_records import PidRecords
from infra.supervisor.signals import Signals
from infra.supervisor.termination import descendants, kill_all, kill_descendants
from workqueue.sandboxes.exits.exit_status import describe_exit
from workqueue.sandboxes.prctl import adopt_orphans

SELECT_TIMEOUT_S = 0.05  # while children start or stop
# While all run: output, exits and signals wake the loop at once; only `on_iteration` waits for the timeout.
WATCH_TIMEOUT_S = 1.0
# A child that exits this often without ever being ready will not recover by itself.
MAX_FAILURES = 3


def do_nothing() -> None:
    return None


class StopRequested(BaseException):
    """Ctrl-C or SIGTERM arrived: leave the start or the main loop, and stop."""


class Supervisor:
    """Supervise children as a context manager: leaving it, for any reason, stops all of them.

    with_names: prefix each output line with the child's name. guard: informed of each ended process.
    on_iteration: called at least once a second, must be quick.
    """

    def __init__(
        self,
        records: PidRecords,
        *,
        with_names: bool = False,
        guard: OrphanGuard | None = None,
        on_iteration: Callable[[], None] = do_nothing,
    ) -> None:
        self._on_iteration = on_iteration
        self._records = records
        self._guard = guard
        self._selector = selectors.DefaultSelector()
        self._output = Output(self._selector, with_names=with_names)
        self._signals = Signals(self._selector)
        self._stages: list[list[Child]] = []
        self._children: dict[int, Child] = {}
        self._stopping = False

    def __enter__(self) -> "Supervisor":
        adopt_orphans()
        self._signals.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._stop()
        finally:
            self._signals.__exit__(kind, error, traceback)
            self._selector.close()

    def start_stage(self, specs: Sequence[ChildSpec], timeout_s: float) -> None:
        """Start the children; return when all are ready. Raises ServerFailedError when one does not become ready."""
        stage = [Child(spec, len(self._stages)) for spec in specs]
        self._stages.append(stage)
        for child in stage:
            self._start(child)
        waiting = list(stage)
        deadline = time.monotonic() + timeout_s
        while waiting:
            self._iterate()
            # A child that was ready and has exited since counts as waiting again.
            waiting = [child for child in stage if child.process is None or (child in waiting and not child.is_ready())]
            for child in waiting:
                if child.failures >= MAX_FAILURES:
                    raise ServerFailedError(f"{child.name} does not start: {child.exit_reason}")
            if waiting and time.monotonic() > deadline:
                raise ServerFailedError(f"not ready within {timeout_s:g} s: {self._describe(waiting)}.")

    def run_once(self, spec: ChildSpec) -> None:
        """Run a child to its end. Raises ServerFailedError with its exit code, unless that is 0."""
        child = Child(spec, len(self._stages))
        # A temporary stage: Ctrl-C stops this child like any other.
        self._stages.append([child])
        self._start(child)
        while child.process is not None:
            self._iterate()
        self._stages.remove([child])
        if child.exit_code != 0:
            error = ServerFailedError(f"{child.name} failed: {child.exit_reason}")
            error.exit_code = max(child.exit_code or 1, 1)  # negative: ended by a signal
            raise error

    def run(self) -> None:
        """Supervise until a signal asks to stop."""
        while True:
            self._iterate(self._watch_timeout_s())

    def _watch_timeout_s(self) -> float:
        """Return the seconds until the next restart, at most WATCH_TIMEOUT_S."""
        restarts = [child.start_at for stage in self._stages for child in stage if child.start_at is not None]
        return max(0.0, min([WATCH_TIMEOUT_S, *(start_at - time.monotonic() for start_at in restarts)]))

    def _iterate(self, timeout_s: float = SELECT_TIMEOUT_S) -> None:
        """Forward output, reap children and start those that are due. Raises StopRequested once."""
        for key, _ in self._selector.select(timeout_s):
            if key.data is self._signals:
                self._signals.drain()
            else:
                self._output.pump(key.data)
        self._reap()
        self._on_iteration()
        if self._stopping:
            return
        if self._signals.stop_requests:
            raise StopRequested
        for child in self._due_children():
            self._restart(child)

    def _describe(self, children: Sequence[Child]) -> str:
        """Return the names of children, each with its last line on stderr."""
        last_lines = {child.name: self._output.last_stderr_line(child.name) for child in children}
        return "; ".join(f"{name} (its last line: {last})" if last else name for name, last in last_lines.items())

    def _due_children(self) -> list[Child]:
        return [child for stage in self._stages for child in stage if child.is_due()]

    def _start(self, child: Child) -> None:
        process = child.start()
        self._children[process.pid] = child
        spec, restarts = child.spec, child.starts - 1
        self._records.add(
            spec.name, process.pid, spec.stop_steps, stage=child.stage, address=spec.address, restarts=restarts
        )
        child.hand_over()
        if process.stdout is not None and process.stderr is not None:
            for pipe, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
                self._output.add(child.name, pipe, target.buffer, child.spec.noise)

    def _restart(self, child: Child) -> None:
        try:
            self._start(child)
        except (InfraError, OSError) as error:
            # A full disk or a missing program may be fixed meanwhile: keep trying.
            print_message(f"{child.name} could not be started: {error}; trying again in {child.delay_restart():.1f} s")

    def _reap(self) -> None:
        """Reap every process that has ended: children and adopted orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                self._on_exit(child, os.waitstatus_to_exitcode(status))
            elif self._guard is not None:
                self._guard.reaped(pid, os.waitstatus_to_exitcode(status))

    def _on_exit(self, child: Child, exit_code: int) -> None:
        child.record_exit(exit_code, self._output.last_stderr_line(child.name))
        self._records.remove(child.name)
        if not (self._stopping or child.spec.one_shot):
            pause_s = child.delay_restart()
            print_message(f"{child.name} {describe_exit(exit_code)}; starting it again in {pause_s:.1f} s")

    def _stop(self) -> None:
        self._stopping = True
        for stage in reversed(self._stages):
            self._stop_stage([child for child in stage if child.process is not None])
        kill_descendants()
        self._reap()
        self._output.drain()

    def _stop_stage(self, stage: list[Child]) -> None:
        """Stop all children of the stage together, each by its own steps; then kill their descendants."""
        pids = [child.process.pid for child in stage if child.process]
        below = [process for pid in pids for process in descendants(psutil.Process(pid))]
        stops = [_StopSequence(child, self._signals) for child in stage]
        while any(child.process is not None for child in stage):
            for stop in stops:
                stop.advance()
            self._iterate()
        kill_all(below)


class _StopSequence:
    """Stop one child step by step; another Ctrl-C takes the next step at once."""

    def __init__(self, child: Child, signals: Signals) -> None:
        self._child = child
        self._signals = signals
        self._seen_requests = signals.stop_requests
        self._steps = list(child.spec.stop_steps)
        self._hurried = [child.spec.hurried_step] if child.spec.hurried_step is not None else []
        self._until = 0.0
        self._is_asked = False

    def advance(self) -> None:
        process = self._child.process
        if process is None:
            return
        is_hurried = self._is_asked and self._signals.stop_requests > self._seen_requests
        if time.monotonic() < self._until and not is_hurried:
            return
        self._seen_requests = self._signals.stop_requests
        self._is_asked = True
        step = self._next_step(is_hurried=is_hurried)
        if step is not None:
            number, timeout_s = step
            self._until = time.monotonic() + timeout_s
            os.kill(process.pid, number)
        else:
            self._until = time.monotonic() + 1.0
            below = descendants(psutil.Process(process.pid))
            # Only this process reaps the child, so the pid is still its own even if it has just exited.
            os.kill(process.pid, signal.SIGKILL)
            kill_all(below)

    def _next_step(self, *, is_hurried: bool) -> tuple[signal.Signals, float] | None:
        """Return the next signal and its timeout; None when it is time to kill."""
        if is_hurried and self._hurried:
            self._steps.clear()
            return self._hurried.pop()
        return self._steps.pop(0) if self._steps else None
