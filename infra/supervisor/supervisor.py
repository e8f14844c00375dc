"""Runs the children and starts again whichever ends, so that nothing stays down whatever is killed.

One thread and one selector. Children are started in stages, each ready before the next begins, and stopped
in the opposite order: those that use the database stop before the database does.
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
from infra.supervisor.orphan_guard import Guard
from infra.supervisor.output import Output, say
from infra.supervisor.pid_records import Records
from infra.supervisor.signals import Signals
from infra.supervisor.termination import descendants, kill_all, kill_descendants
from workqueue.sandboxes.exits.exit_status import describe_exit
from workqueue.sandboxes.prctl import adopt_orphans

TURN_S = 0.05
# A child that ends this often without once having been ready will not get better by trying.
MOST_FAILURES = 3


def nothing_to_do() -> None:
    return None


class StopRequested(BaseException):
    """Ctrl-C or SIGTERM arrived: leave the startup, or the wait, and stop."""


class Supervisor:
    """Use as a context manager: leaving it, for whatever reason, stops everything that was started.

    with_names: of the children, before each line that they write. guard: told of each process that ended.
    each_turn: called between the turns, must be quick.
    """

    def __init__(
        self,
        records: Records,
        *,
        with_names: bool = False,
        guard: Guard | None = None,
        each_turn: Callable[[], None] = nothing_to_do,
    ) -> None:
        self._each_turn = each_turn
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
        """Start the children; return when all are ready. Raises ServerFailedError when one never is."""
        stage = [Child(spec, len(self._stages)) for spec in specs]
        self._stages.append(stage)
        for child in stage:
            self._start(child)
        waiting = list(stage)
        deadline = time.monotonic() + timeout_s
        while waiting:
            self._turn()
            # A child that was ready and has ended since is waited for again.
            waiting = [child for child in stage if child.process is None or (child in waiting and not child.is_ready())]
            for child in waiting:
                if child.failures >= MOST_FAILURES:
                    raise ServerFailedError(f"{child.name} does not start: {child.why_ended}")
            if waiting and time.monotonic() > deadline:
                raise ServerFailedError(f"not ready within {timeout_s:g} s: {self._told(waiting)}.")

    def run_once(self, spec: ChildSpec) -> None:
        """Run a child to its end. Raises ServerFailedError when that is not exit code 0."""
        child = Child(spec, len(self._stages))
        # A stage while it runs: a Ctrl-C in the middle stops it like any other.
        self._stages.append([child])
        self._start(child)
        while child.process is not None:
            self._turn()
        self._stages.remove([child])
        if child.exit_code != 0:
            raise ServerFailedError(f"{child.name} failed: {child.why_ended}")

    def run(self) -> None:
        """Keep everything running until a signal asks to stop."""
        while True:
            self._turn()

    def _turn(self) -> None:
        """One round: pass on output, reap, start what is due. Raises StopRequested, once."""
        for key, _ in self._selector.select(TURN_S):
            if key.data is self._signals:
                self._signals.drain()
            else:
                self._output.pump(key.data)
        self._reap()
        self._each_turn()
        if self._stopping:
            return
        if self._signals.stop_requests:
            raise StopRequested
        for child in self._due():
            self._restart(child)

    def _told(self, children: Sequence[Child]) -> str:
        """Return their names, each with its last words."""
        words = {child.name: self._output.last_words(child.name) for child in children}
        return "; ".join(f"{name} (its last line: {last})" if last else name for name, last in words.items())

    def _due(self) -> list[Child]:
        return [child for stage in self._stages for child in stage if child.is_due()]

    def _start(self, child: Child) -> None:
        process = child.start()
        self._children[process.pid] = child
        self._records.add(child.name, process.pid, child.spec.stop_steps, child.stage, child.spec.address)
        child.hand_over()
        if process.stdout is not None and process.stderr is not None:
            for pipe, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
                self._output.add(child.name, pipe, target.buffer, child.spec.noise)

    def _restart(self, child: Child) -> None:
        try:
            self._start(child)
        except (InfraError, OSError) as error:
            # A full disk or a missing program may be put right while we go on trying.
            say(f"{child.name} could not be started: {error}; trying again in {child.delay_restart():.1f} s")

    def _reap(self) -> None:
        """Collect every process that has ended: children, and orphans that came to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                self._ended(child, os.waitstatus_to_exitcode(status))
            elif self._guard is not None:
                self._guard.reaped(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, exit_code: int) -> None:
        child.ended(exit_code, self._output.last_words(child.name))
        self._records.remove(child.name)
        if not (self._stopping or child.spec.one_shot):
            pause_s = child.delay_restart()
            say(f"{child.name} {describe_exit(exit_code)}; starting it again in {pause_s:.1f} s")

    def _stop(self) -> None:
        self._stopping = True
        for stage in reversed(self._stages):
            self._stop_stage([child for child in stage if child.process is not None])
        kill_descendants()
        self._reap()
        self._output.drain()

    def _stop_stage(self, stage: list[Child]) -> None:
        """Ask all of the stage at once, each by its own steps; then kill what they had started."""
        pids = [child.process.pid for child in stage if child.process]
        below = [process for pid in pids for process in descendants(psutil.Process(pid))]
        stops = [_Stop(child, self._signals) for child in stage]
        while any(child.process is not None for child in stage):
            for stop in stops:
                stop.push()
            self._turn()
        kill_all(below)


class _Stop:
    """One child on its way down: its next step, and when. Another Ctrl-C takes the next step at once."""

    def __init__(self, child: Child, signals: Signals) -> None:
        self._child = child
        self._signals = signals
        self._seen = signals.stop_requests
        self._steps = list(child.spec.stop_steps)
        self._hurried = [child.spec.hurried_step] if child.spec.hurried_step is not None else []
        self._until = 0.0
        self._is_asked = False

    def push(self) -> None:
        process = self._child.process
        if process is None:
            return
        is_hurried = self._is_asked and self._signals.stop_requests > self._seen
        if time.monotonic() < self._until and not is_hurried:
            return
        self._seen = self._signals.stop_requests
        self._is_asked = True
        step = self._next_step(is_hurried=is_hurried)
        if step is not None:
            number, patience_s = step
            self._until = time.monotonic() + patience_s
            os.kill(process.pid, number)
        else:
            self._until = time.monotonic() + 1.0
            below = descendants(psutil.Process(process.pid))
            # Only this process reaps it, so the pid is still its own, even if it has just ended.
            os.kill(process.pid, signal.SIGKILL)
            kill_all(below)

    def _next_step(self, *, is_hurried: bool) -> tuple[signal.Signals, float] | None:
        """Return None when it is time to kill."""
        if is_hurried and self._hurried:
            self._steps.clear()
            return self._hurried.pop()
        return self._steps.pop(0) if self._steps else None
