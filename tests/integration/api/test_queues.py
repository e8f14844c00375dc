"""Pause, resume and empty queues. A pause is a row, so it survives the loss of Redis's data."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import redis
from sqlalchemy import Engine

from tests.conftest import StartRuntime
from tests.integration.lifecycle.steps import accept_request
from tests.support.commands import localfn, run_json
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue import lifecycle
from workqueue.transport import queue_pauses
from workqueue.transport.doorbell import Bell, Doorbell, rq_queue

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def own_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """Yield a runtime with queues and a Redis database of this module's own."""
    with start_runtime() as runtime:
        yield runtime


def read_queue(runtime: Runtime, name: str) -> dict[str, object]:
    items = runtime.get("/api/queues")["items"]
    found: dict[str, object] = next(item for item in items if item["name"] == name)
    return found


def post_action(runtime: Runtime, name: str, action: str) -> dict[str, object]:
    answer = runtime.http.post(f"/api/queues/{name}/{action}")
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def test_requests_of_a_paused_queue_survive_an_emptied_redis_and_run_on_resume(own_runtime: Runtime) -> None:
    assert post_action(own_runtime, "low", "pause")["paused"] is True
    waiting = [own_runtime.post("echo", n, params={"queue": "low"}) for n in range(3)]
    with redis.Redis.from_url(own_runtime.redis_url) as client:
        client.flushdb()
    # A request of another queue passes through all steps that could have claimed the paused ones.
    for n in range(5):
        assert own_runtime.call("echo", n)["status"] == "completed"
    wait_until(lambda: read_queue(own_runtime, "low")["depth"] == 3, what="they are counted")

    assert {own_runtime.get(f"/api/requests/{each['id']}")["status"] for each in waiting} == {"pending"}
    assert {own_runtime.get(f"/api/requests/{each['id']}")["attempt"] for each in waiting} == {0}
    problems = own_runtime.get("/api/stats")["problems"]
    assert [each["subject"] for each in problems if each["code"] == "queue_paused"] == [
        {"kind": "queue", "name": "low"}
    ]

    assert post_action(own_runtime, "low", "resume")["paused"] is False
    assert {own_runtime.wait_ended(each["id"])["status"] for each in waiting} == {"completed"}


def test_bells_rung_before_a_pause_wait_for_the_resume(own_runtime: Runtime) -> None:
    own_runtime.stop("worker")
    request = own_runtime.post("echo", 1)
    assert post_action(own_runtime, "default", "pause")["paused"] is True
    with redis.Redis.from_url(own_runtime.redis_url) as client:
        # Ring as a web process does that has not read the pause yet.
        Doorbell(client).ring([Bell(UUID(request["id"]), 1, "default", "echo")])
        own_runtime.start("worker")
        wait_until(lambda: rq_queue("default", client).count == 0, what="a worker took the bell")
    assert own_runtime.get(f"/api/requests/{request['id']}")["status"] == "pending"

    post_action(own_runtime, "default", "resume")
    assert own_runtime.wait_ended(request["id"])["attempt"] == 1


def test_emptying_a_queue_cancels_its_pending_requests_only(own_runtime: Runtime) -> None:
    post_action(own_runtime, "low", "pause")
    due = own_runtime.post("echo", 1, params={"queue": "low"})
    later = own_runtime.post("echo", 1, params={"queue": "low", "delay_s": 3600})
    other = own_runtime.post("echo", 1, params={"queue": "high", "delay_s": 3600})

    assert post_action(own_runtime, "low", "empty") == {"name": "low", "cancelled": 2, "complete": True}
    for each in (due, later):
        ended = own_runtime.get(f"/api/requests/{each['id']}")
        assert (ended["status"], ended["error_type"]) == ("failed", "Cancelled")
    assert own_runtime.get(f"/api/requests/{other['id']}")["status"] == "pending"
    assert read_queue(own_runtime, "low")["paused"] is True


def test_an_unknown_queue_is_rejected_with_the_valid_names(runtime: Runtime) -> None:
    for action in ("pause", "resume", "empty"):
        answer = runtime.http.post(f"/api/queues/nowhere/{action}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "There is no queue 'nowhere'; there are high, default, low."


def test_the_command_line_lists_pauses_resumes_and_empties(own_runtime: Runtime) -> None:
    assert [item["name"] for item in run_json(own_runtime, "queues", "list")["items"]] == ["high", "default", "low"]
    assert run_json(own_runtime, "queues", "pause", "low")["paused"] is True
    assert "paused" in localfn(own_runtime, "queues", "list").stdout
    own_runtime.post("echo", 1, params={"queue": "low"})

    assert run_json(own_runtime, "queues", "empty", "low", "--yes") == {"name": "low", "cancelled": 1}
    assert run_json(own_runtime, "queues", "resume", "low")["paused"] is False
    assert localfn(own_runtime, "queues", "pause", "nowhere").returncode == 4


def test_reconciler_and_claims_skip_a_paused_queue(engine: Engine) -> None:
    request_id = accept_request(engine)
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
