"""Write many attempts with one statement each: every attempt gets its own answer."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, event, text

from schema.engine import make_engine
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
from tests.support.waiting import wait_until
from workqueue import lifecycle
from workqueue.errors import LeaseLostError
from workqueue.files.store import StoredFile
from workqueue.lifecycle import (
    AttemptProgress,
    AttemptRecord,
    Claim,
    Completion,
    Extension,
    FailedAttempt,
    LogLine,
    ReturnedAttempt,
)
from workqueue.outcomes import CancelledError
from workqueue.requests import queries

LINE = LogLine(1, NOW, "stdout", "said")
FILE = StoredFile("a.txt", "a.txt", 1, "text/plain", "0", "key")
LOST, CANCELLED = LeaseLostError, CancelledError


@pytest.fixture
def claims(engine: Engine) -> dict[str, Claim]:
    """Return claims of one worker: held, cancelled, lost, and of a request that was deleted."""
    made = {name: claim_request(engine, accept_request(engine)) for name in ("deleted", "lost", "cancelled", "held")}
    lifecycle.give_back(engine, made["deleted"], AttemptRecord(outcome=Outcome.GIVEN_BACK), NOW)
    lifecycle.delete(engine, made["deleted"].request_id)
    with engine.begin() as connection:
        expire = text("UPDATE processing_request SET lease_expires_at = :at WHERE id = :id")
        connection.execute(expire, {"at": NOW - timedelta(seconds=1), "id": made["lost"].request_id})
    lifecycle.expire_leases(engine, NOW)
    lifecycle.cancel(engine, made["cancelled"].request_id, NOW)
    return made


def kinds(claims: dict[str, Claim], errors: dict[UUID, Exception]) -> dict[str, type[Exception]]:
    names = {claim.request_id: name for name, claim in claims.items()}
    return {names[request_id]: type(error) for request_id, error in errors.items()}


def lines_of(engine: Engine, claim: Claim) -> list[str]:
    return [row["line"] for row in queries.list_log_lines(engine, claim.request_id, None, (0, 0))[0]]


def test_leases_are_extended_together(engine: Engine, claims: dict[str, Claim]) -> None:
    progress = AttemptProgress(Phase.PROCESS, (0.5, "half"), [LINE], partial_lines=[LINE])
    errors = lifecycle.extend_all(engine, [Extension(claim, progress) for claim in claims.values()], LEASE_S)

    assert kinds(claims, errors) == {"deleted": LOST, "lost": LOST, "cancelled": CANCELLED}
    for name in ("held", "cancelled"):
        assert read_row(engine, claims[name].request_id)["phase"] == "process"
        assert lines_of(engine, claims[name]) == ["said"]
    assert lines_of(engine, claims["lost"]) == []


def test_requests_are_finished_together_with_their_lines_and_files(engine: Engine, claims: dict[str, Claim]) -> None:
    done = [Completion(claim, "1", [FILE], AttemptRecord(lines=[LINE])) for claim in claims.values()]
    for _ in range(2):  # The answer to the first may have been lost.
        assert kinds(claims, lifecycle.finish(engine, done, NOW)) == {
            "deleted": LOST, "lost": LOST, "cancelled": CANCELLED,
        }  # fmt: skip

    assert [file.name for file in queries.find_result(engine, claims["held"].request_id)[1]] == ["a.txt"]
    assert lines_of(engine, claims["held"]) == ["said"]
    assert lines_of(engine, claims["cancelled"]) == []


def test_requests_are_failed_together(engine: Engine, claims: dict[str, Claim]) -> None:
    failed = [FailedAttempt(claim, failed_outcome(), Phase.PROCESS) for claim in claims.values()]
    for _ in range(2):
        assert kinds(claims, lifecycle.fail_all(engine, failed, NOW)) == {"deleted": LOST, "lost": LOST}

    found = read_row(engine, claims["held"].request_id)
    assert (found["status"], found["phase"], found["failures"], found["error_type"]) == (
        "failed", "process", 1, "ValueError",
    )  # fmt: skip


def test_requests_are_given_back_together_each_with_its_delay(engine: Engine, claims: dict[str, Claim]) -> None:
    claims["other"] = claim_request(engine, accept_request(engine))
    returned = [
        ReturnedAttempt(claim, failed_outcome(), 10.0 if name == "held" else 20.0, failures=1)
        for name, claim in claims.items()
    ]
    for _ in range(2):
        errors = lifecycle.give_back_all(engine, returned, NOW)
        assert kinds(claims, errors) == {"deleted": LOST, "lost": LOST, "cancelled": CANCELLED}

    for name, delay_s in (("held", 10), ("other", 20)):
        found = read_row(engine, claims[name].request_id)
        assert (found["status"], found["available_at"]) == ("pending", seconds(delay_s))
        (attempt,) = queries.list_attempts(engine, claims[name].request_id)
        assert (attempt["outcome"], attempt["worker"], attempt["finished_at"]) == ("failed", "w", NOW)


def test_all_attempts_of_a_request_are_shown_in_order(engine: Engine) -> None:
    request_id = accept_request(engine)
    lifecycle.give_back(engine, claim_request(engine, request_id), failed_outcome("First"), NOW)
    lifecycle.fail(engine, claim_request(engine, request_id), failed_outcome("Second"), Phase.PROCESS, NOW)
    lifecycle.retry(engine, request_id, NOW)
    finish(engine, claim_request(engine, request_id))

    shown = [(row["number"], row["outcome"], row["error_type"]) for row in queries.list_attempts(engine, request_id)]
    assert shown == [(1, "failed", "First"), (2, "failed", "Second"), (3, "completed", None)]


@pytest.mark.parametrize("write", ["extend", "finish", "fail", "give_back"])
def test_each_write_is_one_statement(engine: Engine, write: str) -> None:
    claims = [claim_request(engine, accept_request(engine)) for _ in range(3)]
    record = AttemptRecord(lines=[LINE], error_type="E", error_message="m", outcome=Outcome.FAILED)
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def count(_: Connection, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    {
        "extend": lambda: lifecycle.extend_all(
            engine, [Extension(each, AttemptProgress(Phase.PROCESS, lines=[LINE])) for each in claims], LEASE_S
        ),
        "finish": lambda: lifecycle.finish(engine, [Completion(each, "1", [FILE], record) for each in claims], NOW),
        "fail": lambda: lifecycle.fail_all(
            engine, [FailedAttempt(each, record, Phase.PROCESS) for each in claims], NOW
        ),
        "give_back": lambda: lifecycle.give_back_all(engine, [ReturnedAttempt(each, record) for each in claims], NOW),
    }[write]()
    assert len(statements) == 1


def test_a_cancel_that_commits_while_finish_waits_for_the_row_wins(engine: Engine, database_url: str) -> None:
    claim = claim_request(engine, accept_request(engine))
    errors: list[BaseException] = []

    def try_finish() -> None:
        try:
            finish(other, claim)
        except CancelledError as error:
            errors.append(error)

    def finish_waits() -> bool:
        with engine.connect() as connection:
            waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                           " AND datname = current_database()")  # fmt: skip
            return bool(connection.execute(waiting).scalar_one())

    other = make_engine(database_url)
    thread = threading.Thread(target=try_finish)
    with engine.begin() as connection:
        cancel = text("UPDATE processing_request SET cancel_requested = true WHERE id = :id")
        connection.execute(cancel, {"id": claim.request_id})
        thread.start()
        wait_until(finish_waits, 10, "finish waits for the row")
    thread.join()
    other.dispose()
    assert len(errors) == 1
    assert read_row(engine, claim.request_id)["status"] == "processing"
