"""The leases of a worker: claim requests, renew the leases of all that it holds, release those that it does not start.

A few statements a second renew any number of leases. Each extension also stores phases, progress and log lines so far,
and returns whether a cancel was requested. Claims and leases share a connection: an end that waits for the disk delays
neither.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from schema.async_database import AsyncDatabase
from workqueue import lifecycle
from workqueue.backoff import Backoff
from workqueue.clock import Clock, steady_s
from workqueue.database import error_summary, is_outage, outage_description
from workqueue.errors import LeaseLostError
from workqueue.invocation.attempt import FIRST_EXTENSION_S, Attempt, State
from workqueue.invocation.finisher import claim_log_fields
from workqueue.lifecycle import AttemptProgress, AttemptRecord, Claim, Extension, LogLine
from workqueue.transport.doorbell import Bell

log = logging.getLogger(__name__)

FIRST_DELAY_S, MAX_DELAY_S = 0.1, 1.0  # between tries during an outage
EXTEND_EVERY_S = 0.9  # a cancel takes effect within 2 s, and a lease is at least twice as long
TOGETHER_S = 0.2  # leases that are due within this time are renewed with the others


class Claimer:
    """Claim and release for one worker. held: returns the requests that it holds."""

    def __init__(
        self, database: AsyncDatabase, clock: Clock, worker: str, lease_s: float, held: Callable[[], Sequence[UUID]]
    ) -> None:
        self._database, self._clock, self._worker, self._lease_s = database, clock, worker, lease_s
        self._held = held
        self._is_settled = True  # every request that is claimed is in `held`

    async def claim(self, request_ids: Sequence[UUID]) -> list[Claim]:
        """Claim requests. Those that cannot be claimed are skipped: their bell was rung twice, or too late.

        The caller takes all of them over, and then calls `settle`. Claims that were not taken over, or whose answer was
        lost in an outage, are returned again. Raises psycopg.Error.
        """
        found = await self.resume()
        held = {*self._held(), *(claim.request_id for claim in found)}
        # The bell of a request that this worker runs was rung twice: a claim would take the request from itself.
        if wanted := [id for id in request_ids if id not in held]:
            self._is_settled = False
            steps = lifecycle.claim_steps(wanted, self._worker, self._clock.now(), self._lease_s)
            found += await self._database.run(steps)
        if found:
            log.debug("requests claimed", extra=claim_log_fields(found))
        return found

    async def resume(self) -> list[Claim]:
        """Return the claims that were not taken over. Raises psycopg.Error."""
        if self._is_settled:
            return []
        steps = lifecycle.resume_steps(self._held(), self._worker, self._clock.now(), self._lease_s)
        return await self._database.run(steps)

    def settle(self) -> None:
        """Note that all claims were taken over: they are in `held`, or released."""
        self._is_settled = True

    async def release(self, claims: Sequence[Claim], has_given_up: Callable[[], bool]) -> list[Bell]:
        """Release claims that the worker did not start, through outages. Return the bells of the released requests.

        has_given_up: returns True once the grace period of a stop has ended; the error of an outage is then raised.
        """
        backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        while True:
            try:
                bells = await self._database.run(lifecycle.release_steps(claims, self._clock.now()))
            except psycopg.Error as error:
                if not is_outage(error) or has_given_up():
                    raise
                log.warning("write retried", extra={"reason": outage_description(error), "error": error_summary(error)})
                await asyncio.sleep(backoff.next_s())
                continue
            log.info("unstarted requests released", extra=claim_log_fields(claims))
            return bells


def unreleased(attempts: Sequence[Attempt], bells: Sequence[Bell]) -> list[Attempt]:
    """Return the attempts that were not released: a cancel came first, or the lease is lost."""
    released = {bell.request_id for bell in bells}
    return [attempt for attempt in attempts if attempt.request_id not in released]


@dataclass(slots=True)
class StoredProgress:
    """What the last extension of an attempt stored."""

    record: AttemptRecord | None = None
    partial: Sequence[LogLine] = field(default_factory=tuple)


class LeaseRenewer:
    """Renew leases. held: returns the attempts of the worker.

    on_extended: gets the attempts whose leases were extended. interrupt: ends an attempt for a reason.
    """

    def __init__(
        self,
        database: AsyncDatabase,
        clock: Clock,
        lease_s: float,
        held: Callable[[], Iterable[Attempt]],
        on_extended: Callable[[Sequence[Attempt]], None],
        interrupt: Callable[[Attempt, Exception], None],
    ) -> None:
        self._database, self._clock, self._lease_s, self._held = database, clock, lease_s, held
        self._on_extended, self._interrupt = on_extended, interrupt
        self._stored: dict[UUID, StoredProgress] = {}
        self._is_single = False  # PostgreSQL has rejected a value of one of several attempts
        self._wakeup = asyncio.Event()

    def wake(self) -> None:
        """Look at the leases again: attempts were claimed."""
        self._wakeup.set()

    async def run(self) -> None:
        """Renew leases until it is cancelled."""
        while True:
            wait_s = self._next_due_s()
            if wait_s is None:
                self._wakeup.clear()
                await self._wakeup.wait()
                continue
            await asyncio.sleep(max(0.0, wait_s))
            due_by = steady_s() + TOGETHER_S
            due = [attempt for attempt in self._held() if attempt.extend_at <= due_by]
            for group in [[attempt] for attempt in due] if self._is_single else [due]:
                if group:
                    await self._extend(group)

    def _next_due_s(self) -> float | None:
        first = min((attempt.extend_at for attempt in self._held()), default=None)
        return None if first is None else first - steady_s()

    async def _extend(self, due: Sequence[Attempt]) -> None:
        extensions = [(attempt, self._progress_of(attempt)) for attempt in due]
        requested_at = steady_s()
        for attempt in due:
            attempt.extended, attempt.extend_at = asyncio.Event(), requested_at + EXTEND_EVERY_S
        values = [Extension(attempt.claim, progress) for attempt, progress in extensions]
        try:
            errors = await self._database.run(lifecycle.extend_steps(values, self._lease_s))
        except psycopg.Error as error:
            if not is_outage(error) and len(due) > 1:  # a value of one of them: the others keep their leases
                self._is_single = True
            # The leases may still hold: the write that ends an attempt finds out.
            log.warning("leases not extended", extra={"count": len(due), "error": error_summary(error)})
            for attempt, progress in extensions:
                attempt.log_buffer.put_back(list(progress.lines))  # the next extension stores them
                attempt.extend_at = steady_s() + FIRST_EXTENSION_S
                self._stored.pop(attempt.request_id, None)
            return
        finally:
            for attempt in due:
                if attempt.extended is not None:
                    attempt.extended.set()
                    attempt.extended = None
        self._apply(due, errors, requested_at)

    def _apply(self, due: Sequence[Attempt], errors: dict[UUID, Exception], requested_at: float) -> None:
        """Interrupt attempts that lost their lease, or are cancelled."""
        live = [attempt for attempt in due if attempt.state not in (State.DONE, State.RELEASED)]
        for attempt in live:
            error = errors.get(attempt.request_id)
            if not isinstance(error, LeaseLostError):
                attempt.lease_at = max(attempt.lease_at, requested_at)
            if error is not None:
                self._interrupt(attempt, error)
        self._on_extended([attempt for attempt in live if attempt.request_id not in errors])
        held = {attempt.request_id for attempt in self._held()}
        self._stored = {id: stored for id, stored in self._stored.items() if id in held}

    def _progress_of(self, attempt: Attempt) -> AttemptProgress:
        """Return what to store: only what has changed since the last extension."""
        stored = self._stored.setdefault(attempt.request_id, StoredProgress())
        phases = attempt.phases.records(self._clock)
        record = AttemptRecord(phases=phases, cold_start=attempt.record.cold_start, init_ms=attempt.record.init_ms)
        partial = attempt.log_buffer.partial_lines()
        is_new = stored.record is None or _steps_of(stored.record) != _steps_of(record)
        progress = AttemptProgress(
            attempt.phase,
            attempt.progress,
            attempt.log_buffer.take_unstored(),
            record if is_new else None,
            partial if list(partial) != list(stored.partial) else None,
        )
        stored.record, stored.partial = record, partial
        return progress


def _steps_of(record: AttemptRecord) -> list[tuple[str, str | None]]:
    """Return what changes when a phase starts or ends."""
    return [(phase.phase, phase.outcome) for phase in record.phases]
