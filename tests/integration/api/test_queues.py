"""Queues are paused, resumed and emptied; a pause is a row, so it outlives an emptied Redis."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import redis
from sqlalchemy import Engine

from tests.conftest import StartRuntime
from tests.integration.lifecycle.test_transitions import accepted
from tests.support.commands import localfn, run_json
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue import lifecycle
from workqueue.transport import queue_pauses
from workqueue.transport.doorbell import Bell, Doorbell, rq_queue

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def own(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """A runtime whose queues and Redis are this test's alone."""
    with start_runtime() as runtime:
        yield runtime


def of(runtime: Runtime, name: str) -> dict[str, object]:
    items = runtime.get("/api/queues")["items"]
    found: dict[str, object] = next(item for item in items if item["name"] == name)
    return found


def steer(runtime: Runtime, name: str, action: str) -> dict[str, object]:
    answer = runtime.http.post(f"/api/queues/{name}/{action}")
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def test_what_is_in_a_paused_queue_waits_through_an_emptied_redis_and_runs_once_it_is_resumed(own: Runtime) -> None:
    assert steer(own, "low", "pause")["paused"] is True
    waiting = [own.post("echo", n, params={"queue": "low"}) for n in range(3)]
    with redis.Redis.from_url(own.redis_url) as client:
        client.flushdb()
    # Another queue's request passes through every step that could have taken those.
    for n in range(5):
        assert own.call("echo", n)["status"] == "completed"
    wait_until(lambda: of(own, "low")["depth"] == 3, what="they are counted")

    assert {own.get(f"/api/requests/{each['id']}")["status"] for each in waiting} == {"pending"}
    assert {own.get(f"/api/requests/{each['id']}")["attempt"] for each in waiting} == {0}
    problems = own.get("/api/stats")["problems"]
    assert [each["subject"] for each in problems if each["code"] == "queue_paused"] == [
        {"kind": "queue", "name": "low"}
    ]

    assert steer(own, "low", "resume")["paused"] is False
    assert {own.wait_ended(each["id"])["status"] for each in waiting} == {"completed"}


def test_bells_rung_before_the_pause_are_not_answered_and_not_lost(own: Runtime) -> None:
    own.stop("worker")
    request = own.post("echo", 1)
    assert steer(own, "default", "pause")["paused"] is True
    with redis.Redis.from_url(own.redis_url) as client:
        # As a submit would that had not heard of the pause.
        Doorbell(client).ring([Bell(UUID(request["id"]), 1, "default", "echo")])
        own.start("worker")
        wait_until(lambda: rq_queue("default", client).count == 0, what="a worker took the bell")
    assert own.get(f"/api/requests/{request['id']}")["status"] == "pending"

    steer(own, "default", "resume")
    assert own.wait_ended(request["id"])["attempt"] == 1


def test_an_emptied_queue_has_cancelled_what_waited_and_nothing_of_another(own: Runtime) -> None:
    steer(own, "low", "pause")
    due = own.post("echo", 1, params={"queue": "low"})
    later = own.post("echo", 1, params={"queue": "low", "delay_s": 3600})
    other = own.post("echo", 1, params={"queue": "high", "delay_s": 3600})

    assert steer(own, "low", "empty") == {"name": "low", "cancelled": 2, "complete": True}
    for each in (due, later):
        ended = own.get(f"/api/requests/{each['id']}")
        assert (ended["status"], ended["error_type"]) == ("failed", "Cancelled")
    assert own.get(f"/api/requests/{other['id']}")["status"] == "pending"
    assert of(own, "low")["paused"] is True


def test_an_unknown_queue_is_named_with_those_that_there_are(runtime: Runtime) -> None:
    for action in ("pause", "resume", "empty"):
        answer = runtime.http.post(f"/api/queues/nowhere/{action}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "There is no queue 'nowhere'; there are high, default, low."


def test_the_command_line_lists_pauses_resumes_and_empties(own: Runtime) -> None:
    assert [item["name"] for item in run_json(own, "queues", "list")["items"]] == ["high", "default", "low"]
    assert run_json(own, "queues", "pause", "low")["paused"] is True
    assert "paused" in localfn(own, "queues", "list").stdout
    own.post("echo", 1, params={"queue": "low"})

    assert run_json(own, "queues", "empty", "low", "--yes") == {"name": "low", "cancelled": 1}
    assert run_json(own, "queues", "resume", "low")["paused"] is False
    assert localfn(own, "queues", "pause", "nowhere").returncode == 4


def test_the_reconciler_finds_nothing_in_a_paused_queue_and_a_claim_takes_nothing(engine: Engine) -> None:
    request_id = accepted(engine)
    with engine.connect() as connection:
        name = connection.exec_driver_sql("SELECT queue FROM processing_request").scalar_one()
    later = NOW + timedelta(days=3650)
    assert [bell.request_id for bell in lifecycle.find_stale_queued(engine, later)] == [request_id]

    queue_pauses.pause(engine, name, NOW)
    queue_pauses.pause(engine, name, later)
    assert queue_pauses.list_pauses(engine) == {name: NOW}
    assert lifecycle.find_stale_queued(engine, later) == lifecycle.find_unqueued(engine, later) == []
    assert lifecycle.claim(engine, [request_id], "worker", later, 8) == []

    queue_pauses.resume(engine, name)
    assert len(lifecycle.claim(engine, [request_id], "worker", later, 8)) == 1
