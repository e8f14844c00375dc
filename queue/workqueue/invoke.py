"""The hot path: one request, from the claim to its end. Read `invoke` and `_run` from top to bottom."""

import logging
import shutil
from uuid import UUID

from schema.statuses import Outcome, Status
from workqueue import driving, lifecycle, phases
from workqueue.attempt import Attempt, Runtime
from workqueue.errors import LeaseLostError
from workqueue.interruptions import FunctionFailedError
from workqueue.keeper import Keeper
from workqueue.lifecycle import Claim
from workqueue.persist import is_outage, persist
from workqueue.registry import Registered
from workqueue.settlement import Ended, settle

log = logging.getLogger(__name__)

CLAIM_LIMIT_S = 5.0  # without a claim nothing is lost: the bell is rung again when the database is back


def invoke(runtime: Runtime, keeper: Keeper, request_id: UUID) -> Ended | None:
    """Runs one attempt at a request; None when there was nothing to claim (rung twice, or too late)."""
    claim = persist(lambda: _claim(runtime, request_id), runtime.given_up, CLAIM_LIMIT_S)
    if claim is None:
        return None
    attempt = Attempt(claim, runtime.clock, runtime.work_folder / claim.directory)
    log.info("claimed", extra=attempt.log_fields())
    with keeper.holding(attempt):
        try:
            ended = _run(runtime, keeper, attempt)
        except LeaseLostError:
            return _abandon(runtime, attempt)
    # From here on the request is settled: a crash leaves a working directory, which is swept, and an RQ job
    # that is rung again and finds nothing to claim.
    runtime.doorbell.announce(request_id)
    if not attempt.is_cleaned_up:
        phases.cleanup(runtime, attempt)
        phases.note_cleanup(runtime, attempt)
    phases.release(runtime, attempt)
    log.info("ended", extra=attempt.log_fields() | {"outcome": ended.outcome, "status": ended.status})
    return ended


def _run(runtime: Runtime, keeper: Keeper, attempt: Attempt) -> Ended:
    """The phases up to the commit point, and what follows when they do not get there. Raises LeaseLostError."""
    try:
        answer = phases.validate_and_process(runtime, attempt, _known(attempt.claim))
        data, files = phases.save(runtime, attempt, answer)
        keeper.release()
        phases.finish(runtime, attempt, data, files)
        return Ended(Outcome.COMPLETED, Status.COMPLETED)
    except LeaseLostError:
        raise
    except Exception as error:
        if is_outage(error):
            raise  # given up: the lease lapses, and the next attempt goes on from the stored state
        return settle(runtime, keeper, attempt, error)


def _claim(runtime: Runtime, request_id: UUID) -> Claim | None:
    return lifecycle.claim(runtime.engine, request_id, runtime.worker, runtime.clock.now(), runtime.lease_s)


def _known(claim: Claim) -> Registered:
    if claim.function is None:
        raise FunctionFailedError(
            f"There is no function named {claim.function_name!r} any more.", error_type="FunctionNotFound"
        )
    return claim.function


def _abandon(runtime: Runtime, attempt: Attempt) -> Ended:
    """The lease is lost: another attempt may be running. Kill what is ours, change nothing."""
    if attempt.sandbox is not None:
        driving.dispose(runtime, attempt)
    shutil.rmtree(attempt.workdir, ignore_errors=True)
    runtime.store.remove(attempt.request_id, attempt.claim.part)
    log.warning("lease lost", extra=attempt.log_fields())
    return Ended(Outcome.LOST, Status.PROCESSING)
