"""Check the moves of a request on a real PostgreSQL: which columns they change, and which moves they reject."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from schema.statuses import Outcome, Phase
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
from tests.support import clock_control
from workqueue import lifecycle
from workqueue.errors import LeaseLostError, NotAllowedNowError
from workqueue.event_json import JsonText
from workqueue.lifecycle import AttemptProgress, AttemptRecord, LogLine, PhaseRecord
from workqueue.requests import queries
from workqueue.transport.doorbell import Bell


def test_one_bell_claims_a_request_and_a_second_bell_claims_nothing(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)

    assert (claim.attempt, claim.event) == (1, '{"a":1}')
    assert lifecycle.claim(engine, [request_id], "other", NOW, LEASE_S) == []
    assert read_row(engine, request_id)["worker"] == "w"


def test_a_request_that_is_not_due_is_not_claimed(engine: Engine) -> None:
    request_id = accept_request(engine, available_s=60)
    assert lifecycle.claim(engine, [request_id], "w", seconds(59), LEASE_S) == []
    assert claim_request(engine, request_id, at_s=60).attempt == 1


def test_finishing_stores_result_status_and_attempt_together(engine: Engine) -> None:
    request_id = accept_request(engine)
    finish(engine, claim_request(engine, request_id), '{"b": 2}')

    found = read_row(engine, request_id)
    assert (found["status"], found["lease_expires_at"], found["finished_at"]) == ("completed", None, seconds(1))
    assert queries.find_result(engine, request_id)[0]["data"] == JsonText(b'{"b": 2}')
    assert queries.list_attempts(engine, request_id)[0]["outcome"] == "completed"


def test_a_repeated_finish_after_a_lost_answer_changes_nothing(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)
    finish(engine, claim, "1")
    finish(engine, claim, "1")
    assert queries.find_result(engine, request_id)[0]["data"] == JsonText(b"1")


@pytest.mark.parametrize("write", ["extend", "finish", "fail", "give_back"])
def test_a_late_attempt_changes_nothing(engine: Engine, write: str) -> None:
    request_id = accept_request(engine)
    late = claim_request(engine, request_id, "late")
    lifecycle.expire_leases(engine, seconds(LEASE_S + 1))
    claim_request(engine, request_id, "next", at_s=LEASE_S + 1)
    before = read_row(engine, request_id)

    writes: dict[str, Any] = {
        "extend": lambda: lifecycle.extend(engine, late, 99, AttemptProgress(Phase.PROCESS, record=failed_outcome())),
        "finish": lambda: finish(engine, late),
        "fail": lambda: lifecycle.fail(engine, late, failed_outcome(), Phase.PROCESS, NOW),
        "give_back": lambda: lifecycle.give_back(engine, late, failed_outcome(), NOW),
    }
    with pytest.raises(LeaseLostError):
        writes[write]()
    assert read_row(engine, request_id) == before
    with pytest.raises(NotAllowedNowError):
        queries.find_result(engine, request_id)


def test_two_workers_with_one_attempt_number_are_distinguished(engine: Engine) -> None:
    """PostgreSQL may forget a claim in a crash; the next claim then gets the same attempt number."""
    request_id = accept_request(engine)
    forgotten = claim_request(engine, request_id, "first")
    with engine.begin() as connection:
        connection.execute(text("UPDATE processing_request SET status='pending', attempt=0, lease_expires_at=NULL"))
    second = claim_request(engine, request_id, "second")

    assert forgotten.attempt == second.attempt
    with pytest.raises(LeaseLostError):
        finish(engine, forgotten)
    finish(engine, second)


def test_an_extension_keeps_the_lease_and_shows_phase_and_progress(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)
    clock_control.set_time(engine, seconds(12))
    lifecycle.extend(engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS, (0.5, "half")))

    assert lifecycle.expire_leases(engine, seconds(12 + LEASE_S)) == []
    found = read_row(engine, request_id)
    assert (found["phase"], found["progress_fraction"], found["progress_message"]) == ("process", 0.5, "half")


def test_a_lost_attempt_keeps_the_progress_of_its_last_extension(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)
    now_us = round(NOW.timestamp() * 1_000_000)
    records = [PhaseRecord("validate", now_us, 1_000_000, "ok"), PhaseRecord("process", now_us)]
    validated: dict[str, Any] = {"finished_at": seconds(1).isoformat(), "duration_ms": 1000.0, "outcome": "ok"}
    phases: list[dict[str, Any]] = [{"phase": each.phase, "started_at": NOW.isoformat()} for each in records]
    phases[0] |= validated
    started = AttemptRecord(phases=records, cold_start=True, init_ms=12.5)
    lifecycle.extend(engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS, record=started))
    lifecycle.extend(engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS))  # Nothing new.
    (running,) = queries.list_attempts(engine, request_id)
    assert (running["outcome"], running["phases"], running["init_ms"]) == (None, phases, 12.5)

    lifecycle.expire_leases(engine, seconds(LEASE_S + 1))
    (lost,) = queries.list_attempts(engine, request_id)
    assert (lost["outcome"], lost["phases"], lost["cold_start"]) == ("lost", phases, True)


def test_a_request_fails_after_three_lost_workers(engine: Engine) -> None:
    request_id = accept_request(engine)
    for number in range(1, 5):
        claim_request(engine, request_id, at_s=number * 100)
        (lapsed,) = lifecycle.expire_leases(engine, seconds(number * 100 + LEASE_S + 0.1))
        assert (lapsed.attempt, lapsed.status) == (number, "failed" if number == 4 else "pending")
    found = read_row(engine, request_id)
    assert (found["status"], found["error_type"], found["attempt"]) == ("failed", "WorkerLost", 4)
    assert [attempt["outcome"] for attempt in queries.list_attempts(engine, request_id)] == ["lost"] * 4


def test_a_request_that_must_not_start_twice_fails_with_its_worker(engine: Engine) -> None:
    request_id = accept_request(engine, on_lost="fail")
    claim_request(engine, request_id)
    lifecycle.expire_leases(engine, seconds(LEASE_S + 1))
    assert (read_row(engine, request_id)["status"], read_row(engine, request_id)["error_type"]) == (
        "failed",
        "WorkerLost",
    )


def test_a_graceful_give_back_uses_no_attempt(engine: Engine) -> None:
    request_id = accept_request(engine)
    for number in range(1, 10):
        claim = claim_request(engine, request_id)
        assert claim.attempt == number
        lifecycle.give_back(engine, claim, AttemptRecord(outcome=Outcome.GIVEN_BACK), NOW)
    found = read_row(engine, request_id)
    assert (found["status"], found["failures"], found["losses"]) == ("pending", 0, 0)


@pytest.mark.parametrize("is_retried", [True, False])
def test_an_unstarted_request_is_given_back_unchanged(engine: Engine, is_retried: bool) -> None:
    """Restore the error: a retry cleared that of the earlier series, an attempt of the same series left its own."""
    request_id = accept_request(engine)
    first = claim_request(engine, request_id)
    if is_retried:
        lifecycle.fail(engine, first, failed_outcome(), Phase.PROCESS, seconds(1))
        lifecycle.retry(engine, request_id, seconds(2))
    else:
        lifecycle.give_back(engine, first, failed_outcome(), seconds(1), failures=1)
    before = read_row(engine, request_id)
    assert (before["error_type"], before["started_at"] is None) == (
        (None, True) if is_retried else ("ValueError", False)
    )

    (bell,) = lifecycle.release_unstarted(engine, [claim_request(engine, request_id, at_s=3)], seconds(4))

    assert bell.attempt == 2
    after = read_row(engine, request_id)
    for name in ("status", "attempt", "started_at", "error_type", "error_message", "worker", "phase"):
        assert after[name] == before[name], name


def test_bells_are_due_when_unrung_or_unanswered(engine: Engine) -> None:
    at_once = accept_request(engine)  # Rung when the request was accepted.
    delayed = accept_request(engine, available_s=60)

    def ids(bells: list[Bell]) -> list[UUID]:
        return [bell.request_id for bell in bells]

    assert ids(lifecycle.find_unqueued(engine, seconds(59))) == []
    assert ids(lifecycle.find_unqueued(engine, seconds(60))) == [delayed]
    assert ids(lifecycle.find_stale_queued(engine, NOW)) == []
    unanswered = lifecycle.find_stale_queued(engine, seconds(1))
    assert ids(unanswered) == [at_once]
    lifecycle.mark_rung(engine, unanswered + lifecycle.find_unqueued(engine, seconds(60)), seconds(60))
    assert ids(lifecycle.find_unqueued(engine, seconds(60))) == []
    assert ids(lifecycle.find_stale_queued(engine, seconds(60))) == []


def test_log_lines_are_stored_once_after_a_repeated_write(engine: Engine) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)
    line = LogLine(1, NOW, "stdout", "said")
    for lines in ([line], [line, LogLine(2, NOW, "stdout", "more")]):
        lifecycle.extend(engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS, lines=lines))
    finish(engine, claim, lines=[line])

    assert [row["line"] for row in queries.list_log_lines(engine, request_id, None, (0, 0))[0]] == [
        "said",
        "more",
    ]


@pytest.mark.parametrize(("limit_bytes", "pages"), [(1, [1, 1, 1, 1]), (2_000, [2, 2]), (3_100, [3, 1]), (9_000, [4])])
def test_a_page_of_log_lines_is_bounded_in_bytes(engine: Engine, limit_bytes: int, pages: list[int]) -> None:
    request_id = accept_request(engine)
    claim = claim_request(engine, request_id)
    lines = [LogLine(number, NOW, "stdout", "é" * 500) for number in range(1, 5)]
    current = [LogLine(5, NOW, "stdout", "goes on")]
    lifecycle.extend(engine, claim, LEASE_S, AttemptProgress(Phase.PROCESS, lines=lines, partial_lines=current))

    place, counts = (0, 0), []
    while (page := queries.list_log_lines(engine, request_id, None, place, limit_bytes=limit_bytes))[0]:
        counts.append(len(page[0]))
        place = page[0][-1]["attempt"], page[0][-1]["number"]
    assert (counts, place) == (pages, (1, 4))
    assert [line.line for line in page[1]] == ["goes on"], "shown behind the last line only"


def test_a_bell_that_is_popped_twice_makes_one_claim(engine: Engine) -> None:
    request_id = accept_request(engine)

    (claim,) = lifecycle.claim(engine, [request_id, request_id], "w", NOW, LEASE_S)
    assert claim.attempt == 1
