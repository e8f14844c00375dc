"""Store the ends of attempts, many in one transaction, and report them.

One transaction is under way at a time. While it is, further ends gather for the next one. During an outage of
PostgreSQL the ends wait: every statement recognises its own effect, so a repeated one changes nothing.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from schema.async_database import AsyncDatabase
from schema.statuses import Phase, Status
from schema.steps import Steps
from workqueue import lifecycle, log_fields
from workqueue.backoff import Backoff
from workqueue.clock import Clock
from workqueue.database import error_summary, is_outage, outage_description
from workqueue.invocation.attempt import Attempt
from workqueue.lifecycle import Claim, Completion, FailedAttempt, ReturnedAttempt

log = logging.getLogger(__name__)

MAX_WAIT_S = 0.002  # how long an end waits for others, if others run
MAX_BATCH = 64  # ends in one transaction
MAX_STATEMENT_CHARACTERS = 1024 * 1024  # of results in one statement; a single larger one has a statement of its own
FIRST_DELAY_S, MAX_DELAY_S = 0.05, 1.0  # between tries during an outage


@dataclass(slots=True, eq=False)
class Ending:
    """Hold the end of an attempt. status: that of its request.

    completion: for COMPLETED. phase: in which it failed, for FAILED. delay_s: until the next attempt, for PENDING.
    failures: 1 if the function failed, 0 if the runtime did.
    """

    attempt: Attempt
    status: Status
    completion: Completion | None = None
    phase: Phase = Phase.VALIDATE
    delay_s: float = 0.0
    failures: int = 0


Rejected = tuple[Ending, Exception]


class Finisher:
    """Store endings. is_busy: returns whether other attempts run, whose ends are worth waiting for.

    on_stored: gets the endings that were stored, with the time of the commit. on_rejected: gets those that were not:
    with LeaseLostError, CancelledError, or an error of PostgreSQL about one of its values.
    """

    def __init__(
        self,
        database: AsyncDatabase,
        clock: Clock,
        is_busy: Callable[[], bool],
        on_stored: Callable[[Sequence[Ending], datetime], None],
        on_rejected: Callable[[Sequence[Rejected]], None],
    ) -> None:
        self._database, self._clock, self._is_busy = database, clock, is_busy
        self._on_stored, self._on_rejected = on_stored, on_rejected
        self._waiting: deque[Ending] = deque()
        self._since = 0.0
        self._wakeup = asyncio.Event()
        self.has_given_up = False  # the grace period of a stop has ended: no end waits for an unavailable database

    def add(self, ending: Ending) -> None:
        """Store an ending with the next transaction."""
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(ending)
        self._wakeup.set()

    @property
    def is_idle(self) -> bool:
        return not self._waiting

    async def run(self) -> None:
        """Store endings until it is cancelled, or has given up during an outage."""
        backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        while True:
            await self._wakeup.wait()
            await self._wait_for_others()
            batch = self._next_batch()
            try:
                await self._store(batch)
            except psycopg.Error as error:
                if not is_outage(error) or self.has_given_up:
                    raise
                log.warning("write retried", extra={"reason": outage_description(error), "error": error_summary(error)})
                await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            if not self._waiting:
                self._wakeup.clear()

    async def _wait_for_others(self) -> None:
        rest_s = self._since + MAX_WAIT_S - time.monotonic()
        if rest_s > 0 and len(self._waiting) < MAX_BATCH and self._is_busy():
            await asyncio.sleep(rest_s)

    def _next_batch(self) -> list[Ending]:
        """Return the endings of one status that fit into one statement; the completed ones first."""
        completed = [ending for ending in self._waiting if ending.completion is not None]
        others = [ending for ending in self._waiting if ending.status is self._waiting[0].status]
        batch, characters = list[Ending](), 0
        for ending in (completed or others)[:MAX_BATCH]:
            characters += len(ending.completion.data) if ending.completion is not None else 0
            if batch and characters > MAX_STATEMENT_CHARACTERS:
                break
            batch.append(ending)
        return batch

    async def _store(self, batch: Sequence[Ending]) -> None:
        for ending in batch:
            if ending.attempt.extended is not None:  # its lines come back if the extension fails
                await ending.attempt.extended.wait()
        for ending in batch:
            ending.attempt.record.lines += ending.attempt.log_buffer.take_unstored()
        now = self._clock.now()
        rejected = await self._write(batch, now)
        for ending in batch:
            self._waiting.remove(ending)
        self._since = time.monotonic()
        errors = {id(ending) for ending, _ in rejected}
        if stored := [ending for ending in batch if id(ending) not in errors]:
            self._on_stored(stored, now)
        if rejected:
            self._on_rejected(rejected)

    async def _write(self, batch: Sequence[Ending], now: datetime) -> list[Rejected]:
        """Write endings; return those that were not stored. Raises psycopg.Error during an outage."""
        try:
            errors = await self._database.run(_steps(batch, now))
        except psycopg.Error as error:
            if is_outage(error):
                raise
            if len(batch) == 1:
                return [(batch[0], error)]
            # PostgreSQL rejects the statement for a value of one of them: store each by itself.
            return [each for ending in batch for each in await self._write([ending], now)]
        return [(ending, errors[id]) for ending in batch if (id := ending.attempt.request_id) in errors]

    async def store_cleanup(self, attempt: Attempt) -> None:
        """Store phase and log lines of a cleanup that ran after the request ended."""
        attempt.record.lines = []
        record = attempt.take_record(self._clock)
        try:
            await self._database.run(lifecycle.record_cleanup_steps(attempt.claim, record))
        except psycopg.Error as error:
            if not is_outage(error):
                raise
            log.warning("cleanup not stored", extra=attempt.log_fields() | {"error": error_summary(error)})
            return
        if attempt.spool is not None:
            attempt.spool.forget(attempt.claim)


def _steps(batch: Sequence[Ending], now: datetime) -> Steps[dict[UUID, Exception]]:
    """Return the steps that store endings of one status; they return the errors of rejected endings."""
    if batch[0].completion is not None:
        return lifecycle.finish_steps([each.completion for each in batch if each.completion is not None], now)
    if batch[0].status is Status.PENDING:
        returned = [
            ReturnedAttempt(each.attempt.claim, each.attempt.record, each.delay_s, each.failures) for each in batch
        ]
        return lifecycle.give_back_steps(returned, now)
    failed = [FailedAttempt(each.attempt.claim, each.attempt.record, each.phase, each.failures) for each in batch]
    return lifecycle.fail_steps(failed, now)


def claim_log_fields(claims: Sequence[Claim]) -> dict[str, object]:
    """Return the fields of one log line about these claims."""
    named = [(claim.request_id, claim.attempt, claim.function_name) for claim in claims]
    return log_fields.for_requests(named) | {"worker": claims[0].worker}
