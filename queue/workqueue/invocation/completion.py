"""The commit point of a group, and the way back for those of its members that were not begun.

Done by the worker's thread while no sandbox is at work, and then it waits for an absent database; and by the keeper's,
which does not: `way` is how a write is made.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from schema.statuses import Outcome, Status
from workqueue import lifecycle, log_fields
from workqueue.database import is_outage, persist
from workqueue.invocation.attempt import Runtime
from workqueue.invocation.batch import Done, Group
from workqueue.lifecycle import Claim, Completion
from workqueue.outcomes import CancelledError
from workqueue.telemetry import Settled
from workqueue.transport.rq_status import Ended

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Way(Protocol):
    def __call__(self, write: Callable[[], Answer]) -> Answer:
        """Makes a write to the database."""


def patiently(runtime: Runtime) -> Way:
    """Waits for an absent database until the worker is given up."""

    def way(write: Callable[[], Answer]) -> Answer:
        return persist(write, runtime.given_up)

    return way


def once(write: Callable[[], Answer]) -> Answer:
    """Raises what the database says."""
    return write()


def finish(runtime: Runtime, group: Group, way: Way) -> None:
    """Results, files' rows and `completed` of all that are done, in one transaction; then RQ and clients are told.

    A crash after the commit loses nothing but the news: clients look by themselves, and a bell that RQ rings again
    finds nothing to claim. What could not be finished is in `group.refused`.
    """
    with group.writing:
        while done := group.done():
            _finish(runtime, group, done, way)


def _finish(runtime: Runtime, group: Group, done: Sequence[Done], way: Way) -> None:
    now = runtime.clock.now()
    for attempt, completion in done:
        completion.record.lines += attempt.logbook.take()  # of an extension that failed when it was done already
    completions = [completion for _, completion in done]
    refused = _write(runtime, completions, now, way)
    group.note_written(done, refused)
    finished = [done for done in completions if done.claim.request_id not in refused]
    tell(runtime, [Ended(done.claim, Outcome.COMPLETED, Status.COMPLETED) for done in finished])
    runtime.observers.ended([Settled(done.claim, done.record, Status.COMPLETED) for done in finished], now)


def _write(runtime: Runtime, completions: Sequence[Completion], now: datetime, way: Way) -> dict[UUID, Exception]:
    """Gives those that were refused, and why. What the database does not take of one is no matter of the others."""
    try:
        return way(lambda: lifecycle.finish(runtime.engine, completions, now))
    except Exception as error:
        if is_outage(error):
            raise
        if len(completions) == 1:
            return {completions[0].claim.request_id: error}
    refused: dict[UUID, Exception] = {}
    for completion in completions:
        refused |= _write(runtime, [completion], now, way)
    return refused


def let_go(runtime: Runtime, group: Group, keep: int, way: Way) -> None:
    """Waiting members behind the first `keep` go back to the queue, in front, as if they had not been claimed."""
    with group.writing:
        unbegun = group.set_aside(keep)
        if not unbegun:
            return
        claims = [attempt.claim for attempt in unbegun]
        for attempt in unbegun:
            attempt.is_in_doubt = True  # until it is known whether they went
        try:
            bells = way(lambda: lifecycle.unclaim(runtime.engine, claims, runtime.clock.now()))
        except BaseException:
            group.rejoin(unbegun)
            raise
        free = {bell.request_id for bell in bells}
        for attempt in unbegun:
            if attempt.request_id not in free:
                # A cancel came first, or the lease is lost: whoever settles it will see which.
                attempt.is_cleaned_up = True  # it was not begun
                group.refuse(attempt, CancelledError())
    runtime.doorbell.ring(bells)
    log.info("let go", extra=names(claims))


def spare_neighbours(runtime: Runtime, group: Group, way: Way) -> None:
    """One lasts, or all has to end: those that are done are finished, those that were not begun go back."""
    with group.writing:
        finish(runtime, group, way)
        if (follower := group.follower()) is not None:
            group.call_back(follower.sandbox)
        let_go(runtime, group, 0, way)


def tell(runtime: Runtime, ended: Sequence[Ended]) -> None:
    """These are settled. From here on a crash leaves a working directory, which is swept, and nothing else."""
    if ended:
        runtime.board.ended(ended, runtime.clock.now())
        outcome = {"outcome": ended[0].outcome, "status": ended[0].status}
        log.info("ended", extra=names([end.claim for end in ended]) | outcome)


def names(claims: Sequence[Claim]) -> dict[str, object]:
    """For a log line: one for all that moved together."""
    moved = [(claim.request_id, claim.attempt, claim.function_name) for claim in claims]
    return log_fields.names(moved) | {"worker": claims[0].worker}
