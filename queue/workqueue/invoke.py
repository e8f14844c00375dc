"""Run requests: the hot path of a worker, as a list of steps. No step waits; what waits is a task of its own.

    claim → admit → dispatch → send → answered → completed or failed → stored → released

An attempt that needs time before or after its run (files, a large result, a cleanup hook, a killed sandbox) leaves the
list for a task: `_start`, `_prepare`, or invocation/conclusion.py. invocation/attempt.py has the states of an attempt;
workers/engine.py feeds the list with claims.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from uuid import UUID

from schema.statuses import Phase
from workqueue.clock import Clock, steady_s
from workqueue.files.store import FileStore
from workqueue.functions.registry import FunctionSpec
from workqueue.functions.schema_checker import SchemaChecker
from workqueue.invocation import answers
from workqueue.invocation.assignment import Assignment
from workqueue.invocation.attempt import FIRST_EXTENSION_S, Attempt, State
from workqueue.invocation.attempt_files import copy_inputs
from workqueue.invocation.conclusion import Conclusion
from workqueue.invocation.failure import sandbox_unavailable, storage_unavailable
from workqueue.invocation.sandbox import Sandbox
from workqueue.invocation.sandbox_driver import SandboxDriver
from workqueue.lifecycle import Claim
from workqueue.outcomes import SandboxExitedError
from workqueue.sandboxes.connection import Frame

LARGE_BYTES = 64 * 1024  # a result of this size is validated in a thread


class Invoker:
    """Run the attempts of one worker. The public methods stand in the order in which an attempt passes them.

    lease_s: an attempt starts only while at least half of its lease is left. threads: for what blocks.
    on_unstarted: releases attempts that this worker does not start in time.
    """

    def __init__(
        self,
        clock: Clock,
        lease_s: float,
        store: FileStore,
        threads: Executor,
        checker: SchemaChecker,
        driver: SandboxDriver,
        assignment: Assignment,
        conclusion: Conclusion,
        on_unstarted: Callable[[Sequence[Attempt]], None],
    ) -> None:
        self.held: dict[UUID, Attempt] = {}
        self._clock, self._lease_s, self._store, self._threads = clock, lease_s, store, threads
        self._checker, self._driver, self._assignment, self._conclusion = checker, driver, assignment, conclusion
        self._on_unstarted = on_unstarted

    def admit(self, claims: Iterable[tuple[Claim, FunctionSpec]]) -> None:
        """Let claimed requests wait for a sandbox."""
        now = steady_s()
        attempts = [Attempt(claim, function, now, now + FIRST_EXTENSION_S) for claim, function in claims]
        self.held |= {attempt.request_id: attempt for attempt in attempts}
        self._assignment.add(attempts)
        self.dispatch()
        self._release_stuck()  # a request may have turned out to be long while these were claimed

    def dispatch(self) -> None:
        """Send waiting attempts to sandboxes, and start sandboxes for others."""
        for sandbox, attempts in self._assignment.assign_warm():
            self.send(sandbox, attempts)
        for attempt in self._assignment.assign_starts():
            self._driver.run_task(self._start(attempt))

    def send(self, sandbox: Sandbox, attempts: Sequence[Attempt]) -> None:
        """Give attempts to a sandbox, behind those that it has."""
        latest = steady_s() - self._lease_s / 2
        if expiring := [attempt for attempt in attempts if attempt.lease_at < latest]:
            # This process stood still, or PostgreSQL was away: another worker may have the requests.
            self._on_unstarted([*expiring, *self._assignment.take_expiring(latest)])
            attempts = [attempt for attempt in attempts if attempt.lease_at >= latest]
        is_first = not sandbox.sent
        for attempt in attempts:
            sandbox.add(attempt)
        if is_first and attempts:
            self._begin(sandbox)
        elif attempts:
            self._send_run(sandbox, attempts)
        else:
            self._continue(sandbox)

    def answered(self, sandbox: Sandbox, frame: Frame) -> None:
        """Take the last frame about the first attempt of a sandbox: its result, or its failure."""
        attempt = sandbox.sent[0]
        if frame.type == "declined":
            sandbox.halts += 1
            self._wait_again(sandbox, sandbox.take_back_all())
            return
        durations = answers.record_answer(sandbox, attempt, frame, self._clock.now())
        if durations is not None:
            self._assignment.record(attempt.claim.function_name, *durations)
        if not sandbox.leaves_directory_clean or _needs_sandbox(attempt, frame):
            self._conclude(sandbox, frame)
            self._wait_again(sandbox, sandbox.recall())  # it does not go on by itself
            return
        sandbox.pop_answered()  # it runs the next one already
        attempt.move(State.DONE)
        if frame.type == "done":
            attempt.phases.begin(Phase.SAVE)
        if len(frame.body) > LARGE_BYTES:
            self._driver.run_task(self._conclusion.end_large(attempt, frame))
        else:
            self._conclusion.end_small(attempt, frame)
        self._continue(sandbox)

    def is_slow(self, sandbox: Sandbox) -> None:
        """Give the attempts behind a long one to other sandboxes, or to other workers if all slots are used."""
        if not sandbox.is_slow:
            sandbox.is_slow = True
            self._wait_again(sandbox, sandbox.recall())
            self.dispatch()
            self._release_stuck()

    def ended(self, sandbox: Sandbox, reason: BaseException) -> None:
        """End the attempt whose sandbox has ended; those that it did not start wait for another one."""
        if sandbox.is_held or sandbox.ready is None:  # a task is at work with it, and finds that it has ended
            return
        # Nothing but what an earlier request left behind ends a warm sandbox before it starts the next one.
        is_innocent = isinstance(reason, SandboxExitedError) and not sandbox.is_fresh
        unstarted = sandbox.take_back_unstarted(keep=0 if is_innocent else 1)
        if sandbox.sent:
            self._conclude(sandbox, reason)
        else:
            self._continue(sandbox)
        self._wait_again(sandbox, unstarted)

    def interrupt(self, attempt: Attempt, reason: BaseException) -> None:
        """End an attempt now: it is cancelled, its lease is lost, or the worker stops."""
        if attempt.interruption is not None or attempt.state in (State.DONE, State.RELEASED):
            return
        sandbox = self._sandbox_of(attempt)
        if sandbox is not None and sandbox.sent[0] is not attempt:
            self._wait_again(sandbox, sandbox.recall())
        if attempt.state is State.WAITING and self._assignment.remove(attempt):
            self._end_waiting(attempt, reason)
            return
        attempt.interruption = reason
        if attempt.stop_saving is not None:
            attempt.stop_saving.set()
        if sandbox is not None and sandbox.sent and sandbox.sent[0] is attempt and not sandbox.is_held:
            self._driver.kill(sandbox, reason)

    def take_unstarted(self) -> list[Attempt]:
        """Return the attempts that no sandbox has started, to be released."""
        for sandbox in self._assignment.sandboxes():
            self._wait_again(sandbox, sandbox.recall() if sandbox.can_take_more else [])
        return self._assignment.take_waiting()

    def forget(self, attempt: Attempt) -> None:
        """Remove a released attempt."""
        del self.held[attempt.request_id]

    def _begin(self, sandbox: Sandbox) -> None:
        """Prepare an idle sandbox for its first attempt, and send its attempts."""
        attempt = sandbox.sent[0]
        is_empty = sandbox.leaves_directory_clean
        sandbox.begin_first()
        try:
            if not is_empty:
                sandbox.directory.prepare()
        except OSError as error:
            self._conclude(sandbox, storage_unavailable(attempt, error))
            return
        if attempt.needs_preparation:
            self._driver.run_task(self._prepare(sandbox, attempt))
        else:
            self._send_run(sandbox, list(sandbox.sent))

    def _send_run(self, sandbox: Sandbox, attempts: Sequence[Attempt]) -> None:
        """Let a sandbox run attempts, after those that it has."""
        try:
            sandbox.send_run(attempts, self._clock.now(), self._lease_s)
        except OSError:  # user code has broken the socket
            self._driver.kill(sandbox, SandboxExitedError("It closed the runtime's socket for start tokens."))
        else:
            self._driver.watch(sandbox)

    async def _start(self, attempt: Attempt) -> None:
        """Start a sandbox for an attempt, and send it."""
        name, started = attempt.claim.function_name, time.monotonic()
        attempt.phases.begin(Phase.VALIDATE, started)  # a cold start is part of it
        try:
            sandbox = await self._driver.pool.start(attempt.function)
        except OSError as error:
            self._assignment.start_failed(name)
            attempt.move(State.DONE)
            self._conclusion.fail(attempt, attempt.interruption or sandbox_unavailable(attempt, str(error)))
            self.dispatch()
            return
        sandbox.add(attempt)
        try:
            await self._driver.load(sandbox)
            attempt.record.init_ms = round((time.monotonic() - started) * 1000, 1)
            if attempt.interruption is not None:
                raise attempt.interruption
        except Exception as error:  # noqa: BLE001 - every error ends the attempt
            self._assignment.start_failed(name)
            await self._driver.end(sandbox)
            self._conclude(sandbox, sandbox_unavailable(attempt, str(error)) if isinstance(error, OSError) else error)
            self.dispatch()
            return
        self._assignment.begin(name, sandbox)
        self._begin(sandbox)
        self.dispatch()

    async def _prepare(self, sandbox: Sandbox, attempt: Attempt) -> None:
        """Copy files and check the event, then send an attempt."""
        sandbox.is_held = True
        sandbox.clear_deadline()
        run = asyncio.get_running_loop().run_in_executor
        try:
            await run(self._threads, copy_inputs, attempt, sandbox.directory, self._store)
            if attempt.function.schema_checked_outside:
                await run(self._threads, self._checker.check, attempt.claim.event, attempt.function)
            if sandbox.is_ending:
                await sandbox.ended.wait()
            if sandbox.is_ending and sandbox.is_fresh:
                raise SandboxExitedError
            if attempt.interruption is not None:
                raise attempt.interruption
        except Exception as error:  # noqa: BLE001 - every error ends the attempt
            self._conclude(sandbox, error)
            return
        if sandbox.is_ending:  # what an earlier request left behind has ended it
            self._resume(sandbox)
            return
        sandbox.is_held = False
        sandbox.begin_first(is_prepared=True)
        self._send_run(sandbox, [attempt])

    def _conclude(self, sandbox: Sandbox, outcome: Frame | BaseException) -> None:
        """End the first attempt of a sandbox by a task."""
        sandbox.is_held = True
        sandbox.clear_deadline()
        self._driver.run_task(self._run_conclusion(sandbox, outcome))

    async def _run_conclusion(self, sandbox: Sandbox, outcome: Frame | BaseException) -> None:
        await self._conclusion.conclude(sandbox.sent[0], sandbox, outcome)
        if sandbox.is_ending:
            await sandbox.ended.wait()
        sandbox.sent.popleft()
        self._resume(sandbox)

    def _resume(self, sandbox: Sandbox) -> None:
        """Let a sandbox that was held continue. If it has ended, its other attempts wait for another one."""
        sandbox.is_held = False
        others = sandbox.take_back_all() if sandbox.is_ending else []
        self._continue(sandbox)
        self._wait_again(sandbox, others)

    def _continue(self, sandbox: Sandbox) -> None:
        """Let a sandbox continue with its next attempt; without one, keep it warm."""
        if sandbox.is_ending:
            self._assignment.end(sandbox)
            sandbox.close()
            self.dispatch()
            return
        if sandbox.sent:
            sandbox.begin_first()
        if more := self._assignment.take_more_for(sandbox):
            self.send(sandbox, more)
        elif not sandbox.sent:
            sandbox.clear_deadline()
            self._assignment.end(sandbox)
            self._driver.unwatch(sandbox)
            self._driver.pool.put_idle(sandbox)
            self.dispatch()

    def _wait_again(self, sandbox: Sandbox, attempts: Sequence[Attempt]) -> None:
        """Let attempts wait for another sandbox, before those that came later."""
        if not attempts:
            return
        for attempt in attempts:
            if attempt.interruption is not None:  # it came while the sandbox was ending
                self._end_waiting(attempt, attempt.interruption)
        self._assignment.add([attempt for attempt in attempts if attempt.state is State.WAITING], first=True)
        if sandbox.sent or sandbox.is_ending:
            self.dispatch()
        else:
            self._continue(sandbox)

    def _end_waiting(self, attempt: Attempt, reason: BaseException) -> None:
        attempt.move(State.DONE)
        self._conclusion.fail(attempt, reason)

    def _release_stuck(self) -> None:
        """Release the attempts that wait for a slot while long ones use all slots: other workers may be free."""
        if stuck := self._assignment.take_stuck():
            self._on_unstarted(stuck)

    def _sandbox_of(self, attempt: Attempt) -> Sandbox | None:
        return next((each for each in self._driver.pool.busy if attempt in each.sent), None)


def _needs_sandbox(attempt: Attempt, frame: Frame) -> bool:
    """Return whether the end of an attempt needs its sandbox: it has a hook, or files."""
    return attempt.function.has_cleanup or bool(frame.head.get("files"))
