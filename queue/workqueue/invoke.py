"""The hot path: from the claim to the end of one request, or of a few short ones. Read from top to bottom."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from uuid import UUID

from workqueue import lifecycle
from workqueue.database import first_line, is_outage, persist, why
from workqueue.errors import LeaseLostError, SandboxHostLostError
from workqueue.files.store import forget
from workqueue.functions.registry import Registered
from workqueue.invocation import cleanup, completion, phases, sandbox_session
from workqueue.invocation.attempt import Attempt, Runtime
from workqueue.invocation.batch import Group
from workqueue.invocation.completion import patiently
from workqueue.invocation.failure import settle, settle_refused
from workqueue.invocation.lease_renewer import Keeper
from workqueue.invocation.results import save
from workqueue.lifecycle import Claim
from workqueue.logs.buffer import Logbook
from workqueue.outcomes import FunctionFailedError, StoppingError

log = logging.getLogger(__name__)

CLAIM_LIMIT_S = 5.0  # without a claim nothing is lost: the bell is rung again when the database is back


def invoke(runtime: Runtime, keeper: Keeper, request_ids: Sequence[UUID]) -> None:
    """Runs one attempt at each request, one after another, and finishes them together.

    Does nothing about those that cannot be claimed: their bell was rung twice, or too late. After any exception
    this worker must not claim again: it may hold what it has begun.
    """
    claims = _claim(runtime, request_ids)
    if not claims:
        return
    group = Group(_attempt(runtime, claim) for claim in claims)
    with keeper.holding(group), _ending_what_is_left(runtime, group):
        completion.let_go(runtime, group, runtime.pace.fitting(claims), patiently(runtime))
        while (attempt := group.take()) is not None:
            if runtime.given_up.is_set():  # it was set before whoever ran then was interrupted: none slips through
                attempt.interruption = attempt.interruption or StoppingError()
            _run(runtime, group, attempt)
            _finish_due(runtime, group)
            _hand_on(runtime, group, attempt)
            if runtime.given_up.is_set():  # the grace of a stop is over
                _let_all_go(runtime, group)
        settle_refused(runtime, group, patiently(runtime))
        runtime.spool.clear()


def _attempt(runtime: Runtime, claim: Claim) -> Attempt:
    return Attempt(claim, runtime.clock, logbook=Logbook(partial(runtime.spool.keep, claim)))


def _run(runtime: Runtime, group: Group, attempt: Attempt) -> None:
    """The phases up to the commit point, and what follows when they do not get there."""
    runtime.gauge.set_busy()
    try:
        answer = phases.validate_and_process(runtime, group, attempt, _known(attempt.claim))
        data, files = save(runtime, attempt, answer)
        if not attempt.has_hook:  # nothing of the user's runs in it, so it need not wait for the commit
            cleanup.clean_up(runtime, attempt)
        group.complete(attempt, attempt.completed(data, files))
    except LeaseLostError:
        _abandon(runtime, attempt)
    except Exception as error:
        if is_outage(error):
            raise  # given up: the lease lapses, and the next attempt goes on from the stored state
        _settle(runtime, group, attempt, error)
    else:
        if attempt.own_s is not None:
            runtime.pace.note(attempt.claim.function_name, attempt.own_s)


def _finish_due(runtime: Runtime, group: Group) -> None:
    """The commit point. While the sandbox is at the next one already, it is the keeper's: a deadline does not wait."""
    if group.follower() is None and group.is_due():
        completion.finish(runtime, group, patiently(runtime))
        settle_refused(runtime, group, patiently(runtime))


def _let_all_go(runtime: Runtime, group: Group) -> None:
    """What a sandbox has begun already is ended first, in its turn."""
    if (follower := group.follower()) is not None:
        group.call_back(follower.sandbox)
    if group.follower() is None:
        completion.spare_neighbours(runtime, group, patiently(runtime))


def _hand_on(runtime: Runtime, group: Group, attempt: Attempt) -> None:
    """After the commit cleanup cannot change the outcome. Then the sandbox is free for the next."""
    if not attempt.is_cleaned_up:
        cleanup.clean_up(runtime, attempt)
        cleanup.store(runtime, attempt)
    if attempt.sandbox is None or not attempt.leaves_clean:
        group.call_back(attempt.sandbox)  # it is gone, or stopped where it was
    if group.follower() is None:
        phases.release(runtime, attempt)
    attempt.sandbox = None  # it is the follower's now


def _settle(runtime: Runtime, group: Group, attempt: Attempt, error: Exception) -> None:
    if attempt.sandbox is not None and group.follower() is not None:  # it runs, and must be watched
        cleanup.clean_up(runtime, attempt)  # no hook has a follower
        group.refuse(attempt, error)
        return
    try:
        completion.tell(runtime, [settle(runtime, group, attempt, error, patiently(runtime))])
    except LeaseLostError:
        _abandon(runtime, attempt)


@contextlib.contextmanager
def _ending_what_is_left(runtime: Runtime, group: Group) -> Iterator[None]:
    """An error that nobody foresaw leaves its requests to their leases, but no sandbox that works at one of them."""
    try:
        yield
    except BaseException:
        for attempt in group.with_sandboxes():
            with contextlib.suppress(SandboxHostLostError):
                sandbox_session.dispose(runtime, attempt)
        runtime.workplace.put_away()
        raise


def _claim(runtime: Runtime, request_ids: Sequence[UUID]) -> list[Claim]:
    """None while the database is away: if one was claimed all the same, it was not begun, and a bell resumes it."""

    def claim() -> list[Claim]:
        return lifecycle.claim(runtime.engine, request_ids, runtime.worker, runtime.clock.now(), runtime.lease_s)

    try:
        claims = persist(claim, runtime.given_up, CLAIM_LIMIT_S)
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("%s; nothing is claimed", why(error), extra={"error": first_line(error)})
        return []
    if claims:
        log.debug("claimed", extra=completion.names(claims))
    return claims


def _known(claim: Claim) -> Registered:
    if claim.function is None:
        raise FunctionFailedError(
            f"There is no function named {claim.function_name!r} any more.", error_type="FunctionNotFound"
        )
    return claim.function


def _abandon(runtime: Runtime, attempt: Attempt) -> None:
    """The lease is lost: another attempt may be running. Kill what is ours, change nothing."""
    if attempt.sandbox is not None:
        sandbox_session.dispose(runtime, attempt)
    runtime.workplace.put_away()
    forget(runtime.store, attempt.request_id, attempt.claim.part)
    attempt.is_cleaned_up = True
    log.warning("lease lost", extra=attempt.log_fields())
