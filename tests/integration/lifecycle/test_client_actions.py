"""Check the moves that clients make: cancel, retry, delete, purge."""

import pytest
from sqlalchemy import Engine, text

from schema.statuses import Phase
from tests.integration.lifecycle.steps import (
    LEASE_S,
    NOW,
    accept_request,
    claim_request,
    failed_outcome,
    finish,
    read_row,
    seconds,
)
from workqueue import lifecycle
from workqueue.errors import NotAllowedNowError, UnknownRequestError
from workqueue.lifecycle import AttemptProgress
from workqueue.outcomes import CancelledError


def test_a_pending_request_is_cancelled_at_once(engine: Engine) -> None:
    request_id = accept_request(engine)
    lifecycle.cancel(engine, request_id, NOW)

    found = read_row(engine, request_id)
    assert (found["status"], found["error_type"], found["cancel_requested"]) == ("failed", "Cancelled", True)
    assert lifecycle.claim(engine, [request_id], "w", NOW, LEASE_S) == []
    with pytest.raises(NotAllowedNowError):
        lifecycle.cancel(engine, request_id, NOW)


def test_a_cancel_reaches_the_worker_at_the_next_extension_and_beats_a_finish(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)
    assert not lifecycle.extend(engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS))
    lifecycle.cancel(engine, request_id, NOW)

    assert lifecycle.extend(engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS))
    with pytest.raises(CancelledError):
        finish(engine, claim)
    lifecycle.fail(engine, claim, failed_outcome("Cancelled"), Phase.PROCESS, NOW, failures=0)
    assert read_row(engine, request_id)["error_type"] == "Cancelled"


def test_a_cancelled_request_whose_worker_is_lost_ends_cancelled(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim_request(engine, request_id)
    lifecycle.cancel(engine, request_id, NOW)
    lifecycle.expire_leases(engine, seconds(LEASE_S + 1))
    assert (read_row(engine, request_id)["status"], read_row(engine, request_id)["error_type"]) == (
        "failed",
        "Cancelled",
    )


def test_a_clients_retry_starts_a_new_series_and_continues_the_numbering(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)
    with pytest.raises(NotAllowedNowError):
        lifecycle.retry(engine, request_id, NOW)
    lifecycle.fail(engine, claim, failed_outcome(), Phase.PROCESS, NOW)

    bell = lifecycle.retry(engine, request_id, seconds(5))
    assert (bell.request_id, bell.attempt) == (request_id, 2)
    found = read_row(engine, request_id)
    assert (found["status"], found["failures"], found["error_type"], found["finished_at"]) == ("pending", 0, None, None)
    finish(engine, claim_request(engine, request_id, at_s=5))
    with pytest.raises(NotAllowedNowError):
        lifecycle.retry(engine, request_id, NOW)


def test_deleting_removes_all_data_of_a_request_unless_it_runs(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)
    with pytest.raises(NotAllowedNowError):
        lifecycle.delete(engine, request_id)
    finish(engine, claim)

    assert lifecycle.delete(engine, request_id) == [f"{request_id}-1", f"{request_id}-2"]
    with engine.connect() as connection:
        for table in ("request_attempt", "processing_result", "request_log"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
    for move in (lifecycle.delete, lambda e, i: lifecycle.cancel(e, i, NOW), lambda e, i: lifecycle.retry(e, i, NOW)):
        with pytest.raises(UnknownRequestError):
            move(engine, request_id)


def test_purging_removes_requests_that_ended_before_a_time_in_chunks(engine: Engine) -> None:
    ended = [accept_request(engine) for _ in range(5)]
    for request_id in ended:
        finish(engine, claim_request(engine, request_id))
    waiting = accept_request(engine)

    assert lifecycle.purge(engine, seconds(0.5)) == []
    first = lifecycle.purge(engine, seconds(2), chunk=3)
    rest = lifecycle.purge(engine, seconds(2), chunk=3)
    assert {each.request_id for each in first + rest} == set(ended)
    assert (len(first), len(rest)) == (3, 2)
    assert read_row(engine, waiting)["status"] == "pending"
