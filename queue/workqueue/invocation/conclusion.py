"""End attempts: save, clean up, decide what follows, store, report. What needs time is a task of its own here.

Cleanup runs under the lease, before the end is stored, if no user code runs in it or another attempt may follow at
once; else after the commit, which it cannot change any more.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime
from threading import Event

from schema.statuses import CANCELLED, Phase, Status
from workqueue.clock import Clock
from workqueue.errors import LeaseLostError
from workqueue.files.store import FileStore, StoredFile, remove_if_possible
from workqueue.functions.retry_policy import GiveBack
from workqueue.invocation import answers, failure
from workqueue.invocation.attempt import Attempt, State
from workqueue.invocation.attempt_files import store_outputs
from workqueue.invocation.cleanup import Cleanup
from workqueue.invocation.finisher import Ending, Finisher, Rejected
from workqueue.invocation.sandbox import Sandbox
from workqueue.lifecycle import Completion
from workqueue.outcomes import AttemptEndedError, CancelledError
from workqueue.sandboxes.connection import Frame

log = logging.getLogger(__name__)

Saved = tuple[str, Sequence[StoredFile]]  # the result as JSON text, and the output files in the store


class Conclusion:
    """End the attempts of one worker.

    threads: for what blocks. report: gets the stored ends. forget: called with each attempt that the worker has
    released.
    """

    def __init__(
        self,
        cleanup: Cleanup,
        clock: Clock,
        store: FileStore,
        threads: Executor,
        report: Callable[[Sequence[Ending], datetime], None],
        forget: Callable[[Attempt], None],
    ) -> None:
        self.finisher: Finisher  # set by the worker, since it calls `on_stored` and `on_rejected`
        self._cleanup, self._clock, self._store, self._threads = cleanup, clock, store, threads
        self._report, self._forget = report, forget
        self._expected: dict[Attempt, asyncio.Future[bool]] = {}

    def complete(self, attempt: Attempt, saved: Saved) -> None:
        """Let a result be stored: the commit point."""
        record = attempt.take_record(self._clock)
        completion = Completion(attempt.claim, saved[0], saved[1], record, attempt.progress)
        self.finisher.add(Ending(attempt, Status.COMPLETED, completion))

    def end_small(self, attempt: Attempt, frame: Frame) -> None:
        """Let the end that a last frame describes be stored; nothing is left to clean up."""
        self._end_clean(attempt, _read_end(frame))

    async def end_large(self, attempt: Attempt, frame: Frame) -> None:
        """Do the same for a large frame, which is read in a thread."""
        end = await asyncio.get_running_loop().run_in_executor(self._threads, _read_end, frame)
        self._end_clean(attempt, end)

    def _end_clean(self, attempt: Attempt, end: str | AttemptEndedError) -> None:
        if isinstance(end, str):
            attempt.phases.begin(Phase.CLEANUP)
            attempt.phases.end("ok")
            self.complete(attempt, (end, ()))
        else:
            attempt.phases.end(end.outcome, str(end))
            attempt.phases.begin(Phase.CLEANUP)
            self.fail(attempt, end)

    def fail(self, attempt: Attempt, error: BaseException) -> None:
        """Let an attempt end without a result; nothing is left to clean up."""
        if isinstance(error, LeaseLostError):
            self.abandon(attempt)
            return
        end = failure.outcome_of(attempt, error)
        decision = failure.decide_next(attempt, end)
        failed_in = attempt.phases.last_before_cleanup
        attempt.phases.end(end.outcome, str(end))
        failure.record_outcome(attempt, end)
        attempt.take_record(self._clock)
        ending = Ending(attempt, Status.FAILED, phase=failed_in, failures=int(end.is_failure))
        if isinstance(decision, GiveBack):
            ending.status, ending.delay_s = Status.PENDING, decision.delay_s
        self.finisher.add(ending)

    async def conclude(self, attempt: Attempt, sandbox: Sandbox, outcome: Frame | BaseException) -> None:
        """End an attempt that needs time. outcome: its last frame, or why it ended without one."""
        try:
            saved = await self._save(attempt, sandbox, outcome)
        except Exception as error:  # noqa: BLE001 - every error ends the attempt
            await self._end(attempt, sandbox, attempt.interruption or error)
        else:
            await self._end(attempt, sandbox, saved)

    async def _save(self, attempt: Attempt, sandbox: Sandbox, outcome: Frame | BaseException) -> Saved:
        """Run phase 3 up to the commit point. Raises AttemptEndedError."""
        if isinstance(outcome, BaseException):
            raise outcome
        if attempt.leftovers:
            await self._cleanup.end_sandbox(sandbox)
        if outcome.type != "done":
            raise answers.failure_from(outcome)
        attempt.phases.begin(Phase.SAVE)
        attempt.stop_saving = Event()

        def save() -> Saved:
            data = answers.validate_result(outcome.body)
            return data, store_outputs(attempt, outcome.head["files"], sandbox.directory, self._store)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, save)
        except Exception:
            # The SDK sends no answer that cannot be saved: user code did, so the sandbox is not trusted any more.
            await self._cleanup.end_sandbox(sandbox)
            raise

    async def _end(self, attempt: Attempt, sandbox: Sandbox, result: Saved | BaseException) -> None:
        """Clean up and store, in the order that the attempt needs."""
        end = None
        if isinstance(result, BaseException):
            if isinstance(result, LeaseLostError):
                await self._cleanup.discard(sandbox)
                self.abandon(attempt)
                return
            end = failure.outcome_of(attempt, result)
        attempt.phases.end("ok" if end is None else end.outcome, None if end is None else str(end))
        follows = end is not None and end.is_failure and isinstance(failure.decide_next(attempt, end), GiveBack)
        is_first = follows or not attempt.function.has_cleanup
        if is_first:
            await self._cleanup.run(attempt, sandbox)
        attempt.move(State.DONE)
        is_stored = self._expected[attempt] = asyncio.get_running_loop().create_future()
        if end is not None:
            self.fail(attempt, end)
        elif not isinstance(result, BaseException):
            self.complete(attempt, result)
        if not is_first and await is_stored:
            await self._cleanup.run(attempt, sandbox)
            await self.finisher.store_cleanup(attempt)

    def on_stored(self, endings: Sequence[Ending], now: datetime) -> None:
        """Report ends that are stored. A crash from here on leaves at most a working directory."""
        self._report(endings, now)
        for ending in endings:
            self._release(ending.attempt, is_stored=True)

    def on_rejected(self, rejected: Sequence[Rejected]) -> None:
        """End attempts whose end could not be stored: cancelled at the last moment, lost, or not storable."""
        for ending, error in rejected:
            attempt = ending.attempt
            if isinstance(error, LeaseLostError):
                self.abandon(attempt)
            elif isinstance(error, CancelledError):
                attempt.record.outcome, attempt.record.error_type = error.outcome, CANCELLED
                attempt.record.error_message, attempt.record.traceback = str(error), None
                self.finisher.add(Ending(attempt, Status.FAILED, phase=attempt.phases.last_before_cleanup))
            elif ending.completion is not None:
                self.fail(attempt, error)
            else:
                log.error("end not storable; the lease expires", exc_info=error, extra=attempt.log_fields())
                self._release(attempt, is_stored=False)

    def abandon(self, attempt: Attempt) -> None:
        """Delete the attempt's files, and write nothing: another attempt may be running."""
        log.warning("lease lost", extra=attempt.log_fields())
        self._threads.submit(remove_if_possible, self._store, attempt.request_id, attempt.claim.part)
        self._release(attempt, is_stored=False)

    def _release(self, attempt: Attempt, *, is_stored: bool) -> None:
        attempt.move(State.RELEASED)
        if attempt.spool is not None:
            attempt.spool.forget(attempt.claim)
        self._forget(attempt)
        if (expected := self._expected.pop(attempt, None)) is not None:
            expected.set_result(is_stored)


def _read_end(frame: Frame) -> str | AttemptEndedError:
    """Return the result that a last frame has, as JSON text, or the failure that it describes."""
    if frame.type != "done":
        return answers.failure_from(frame)
    try:
        return answers.validate_result(frame.body)
    except AttemptEndedError as end:
        return end
