"""Reject jobs that other programs wrote into Redis: log them, show them as failed, never run them, and continue."""

import json
import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

QUEUE = "rq:queue:default"
FAILED = "rq:failed:default"


class Bomb:
    """Leave a trace when unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.trace}",)


@pytest.fixture
def redis_of_runtime(runtime: Runtime) -> Iterator[redis.Redis]:
    """Yield a client of the shared runtime's Redis."""
    with redis.Redis.from_url(runtime.redis_url) as client:
        yield client


def put(redis_of_runtime: redis.Redis, job_id: str, fields: dict[str, Any]) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    usual: dict[Any, Any] = {
        "created_at": now,
        "enqueued_at": now,
        "origin": "default",
        "status": "queued",
        "timeout": 180,
    }
    redis_of_runtime.hset(f"rq:job:{job_id}", mapping=usual | fields)
    redis_of_runtime.rpush(QUEUE, job_id)


def log(runtime: Runtime) -> str:
    return (runtime.home.parent / "log").read_text(errors="replace")


def is_shown_failed(redis_of_runtime: redis.Redis, job_id: str) -> bool:
    return (
        redis_of_runtime.zscore(FAILED, job_id) is not None
        and redis_of_runtime.hget(f"rq:job:{job_id}", "status") == b"failed"
    )


def call(function: str, *args: Any) -> str:
    return json.dumps([function, None, list(args), {}])


def deep() -> str:
    return "[" * 60_000


KINDS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "another function": lambda trace: {"data": call("os.system", f"touch {trace}")},
    "its name, with more": lambda trace: {"data": call("subprocess.check_output", ["touch", str(trace)])},
    "our own entry": lambda trace: {"data": call("workqueue.workers.worker.answer", str(trace))},
    "pickle": lambda trace: {"data": pickle.dumps(("os.system", None, (Bomb(trace),), {}))},
    "pickle in its meta": lambda trace: {"data": call("x"), "meta": pickle.dumps(Bomb(trace))},
    "pickle as its result": lambda trace: {"data": call("x"), "result": pickle.dumps(Bomb(trace))},
    "a callback": lambda _: {
        "data": call("x"),
        "failure_callback_name": "os.system",
        "success_callback_name": "os.abort",
        "stopped_callback_name": "os.abort",
    },
    "retries without end": lambda _: {"data": call("x"), "retries_left": 1_000_000, "retry_intervals": "[0]"},
    "a webhook": lambda _: {"data": call("x"), "webhooks": '[{"url": "http://127.0.0.1:1/", "job_status": "failed"}]'},
    "ten megabytes": lambda _: {"data": "x" * 10_000_000, "description": "y" * 1_000_000},
    "no data": lambda _: {},
    "empty data": lambda _: {"data": ""},
    "rubbish": lambda _: {"data": b"\xff\xfe\x00", "created_at": "yesterday", "timeout": "soon", "ttl": "x"},
    "depth": lambda _: {"data": deep()},
    "another queue's name": lambda _: {"data": call("x"), "origin": "../../etc\0"},
    "a script": lambda _: {"data": call("x"), "description": "<script>alert(1)</script>"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_job_is_rejected_logged_and_shown_as_failed(
    runtime: Runtime, redis_of_runtime: redis.Redis, tmp_path: Path, kind: str
) -> None:
    trace, job_id = tmp_path / "trace", uuid4().hex
    put(redis_of_runtime, job_id, KINDS[kind](trace))
    wait_until(lambda: is_shown_failed(redis_of_runtime, job_id), 20, "it is shown as failed")
    assert job_id in log(runtime)
    assert runtime.result("echo", "well") == "well"
    for path in (
        f"/rq/0/data/job/{job_id}.json",
        f"/rq/0/view/job/{job_id}",
        "/rq/0/data/jobs/default/failed/50/asc/1.json",
        "/rq/0/data/queues.json",
        "/rq/0/data/workers.json",
    ):
        assert runtime.http.get(path).status_code == 200, path
    assert "alert(1)</script>" not in runtime.http.get(f"/rq/0/data/job/{job_id}.json").text
    assert runtime.http.post(f"/rq/job/{job_id}/requeue").status_code == 200
    wait_until(lambda: job_id.encode() not in redis_of_runtime.lrange(QUEUE, 0, -1), 20, "taken again")
    wait_until(lambda: is_shown_failed(redis_of_runtime, job_id), 20, "it is rejected again")
    assert runtime.http.post(f"/rq/job/{job_id}/delete").status_code == 200
    assert not trace.exists()


def test_an_unreadable_job_does_not_block_its_queue(runtime: Runtime, redis_of_runtime: redis.Redis) -> None:
    gone, other_type, bell = (uuid4().hex for _ in range(3))
    put(redis_of_runtime, bell, {"data": call("x")})
    wait_until(lambda: is_shown_failed(redis_of_runtime, bell), 20, "it is shown as failed")
    redis_of_runtime.set(f"rq:job:{other_type}", "no job")
    redis_of_runtime.zadd("rq:failed:default", {gone: 1, other_type: 2})

    answer = runtime.http.post("/rq/requeue/default")

    assert (answer.status_code, answer.json()["status"], answer.json()["skipped"]) == (200, "OK", 2)
    assert answer.json()["count"] >= 1
    redis_of_runtime.delete(f"rq:job:{other_type}")
    redis_of_runtime.zrem("rq:failed:default", gone, other_type)


@pytest.mark.parametrize("job_id", ["a b", "\0", "x" * 100_000, "../../x", "0" * 36 + "-1", "ä", "*"])
def test_an_invalid_id_is_rejected(runtime: Runtime, redis_of_runtime: redis.Redis, job_id: str) -> None:
    redis_of_runtime.rpush(QUEUE, job_id, b"\xff\xfe" + os.urandom(4).hex().encode())
    assert runtime.result("echo", "well") == "well"
    wait_until(lambda: redis_of_runtime.llen(QUEUE) == 0, 20, "they are taken")


def test_a_job_that_is_not_a_hash_is_rejected(runtime: Runtime, redis_of_runtime: redis.Redis) -> None:
    job_id = uuid4().hex
    redis_of_runtime.set(f"rq:job:{job_id}", "text")
    redis_of_runtime.rpush(QUEUE, job_id)
    wait_until(
        lambda: "rejected job not marked as failed" in log(runtime) and job_id in log(runtime), 20, "it is reported"
    )
    assert runtime.result("echo", "well") == "well"
    redis_of_runtime.delete(f"rq:job:{job_id}")


def test_only_the_id_of_a_job_is_read(runtime: Runtime, redis_of_runtime: redis.Redis, tmp_path: Path) -> None:
    request = runtime.call("echo", 1)
    put(redis_of_runtime, request["job_id"], {"data": call("os.system", f"touch {tmp_path / 'trace'}")})
    assert runtime.result("echo", "well") == "well"
    wait_until(lambda: redis_of_runtime.llen(QUEUE) == 0, 20, "it is taken")
    assert not (tmp_path / "trace").exists()
    assert runtime.get(f"/api/requests/{request['id']}")["attempt"] == 1


def test_cleaning_the_registries_calls_no_callback(redis_of_runtime: redis.Redis, tmp_path: Path) -> None:
    """RQ calls the callback for jobs of lost workers; neither the cleaning nor the reading of registries here does."""
    from rq.registry import clean_registries

    from workqueue.transport.doorbell import rq_queue

    trace, job_id = tmp_path / "trace", uuid4().hex
    put(redis_of_runtime, job_id, {"data": call("x"), "status": "started", "failure_callback_name": "os.system"})
    redis_of_runtime.lrem(QUEUE, 0, job_id)
    redis_of_runtime.hset(f"rq:job:{job_id}", "meta", pickle.dumps(Bomb(trace)))
    redis_of_runtime.zadd("rq:wip:elsewhere", {f"{job_id}:{uuid4().hex}": 1})
    clean_registries(rq_queue("elsewhere", redis_of_runtime))
    assert not redis_of_runtime.exists("rq:wip:elsewhere")
    assert not trace.exists()
    redis_of_runtime.delete(f"rq:job:{job_id}")


def test_the_dashboard_unpickles_nothing(runtime: Runtime, redis_of_runtime: redis.Redis, tmp_path: Path) -> None:
    trace, job_id = tmp_path / "trace", uuid4().hex
    put(
        redis_of_runtime,
        job_id,
        {"data": pickle.dumps(Bomb(trace)), "meta": pickle.dumps(Bomb(trace)), "status": "started"},
    )
    redis_of_runtime.lrem(QUEUE, 0, job_id)
    for book in ("wip", "finished", "failed", "deferred", "scheduled", "canceled"):
        redis_of_runtime.zadd(f"rq:{book}:default", {f"{job_id}:{uuid4().hex}" if book == "wip" else job_id: 1})
    for view in ("started", "finished", "failed", "deferred", "scheduled", "canceled"):
        assert runtime.http.get(f"/rq/0/data/jobs/default/{view}/50/asc/1.json").status_code == 200, view
    assert runtime.http.get(f"/rq/0/view/job/{job_id}").status_code == 200
    assert runtime.http.get(f"/rq/0/data/job/{job_id}.json").status_code == 200
    assert runtime.http.post(f"/rq/job/{job_id}/delete").status_code == 200
    assert not trace.exists()


def test_an_invalid_scheduler_job_stops_no_schedule(
    runtime: Runtime, redis_of_runtime: redis.Redis, tmp_path: Path
) -> None:
    trace, job_id = tmp_path / "trace", uuid4().hex
    put(redis_of_runtime, job_id, {"data": call("os.system", f"touch {trace}"), "meta": pickle.dumps(Bomb(trace))})
    redis_of_runtime.lrem(QUEUE, 0, job_id)
    redis_of_runtime.zadd(
        "rq:scheduler:scheduled_jobs", {job_id.encode(): 1, b"\xff\xfe": 1, b"a b": 1, b"schedule-../x": 1}
    )
    made = runtime.http.post(
        "/api/schedules", json={"name": "goes-on", "function": "echo", "expression": "rate(1 second)"}
    )
    assert made.status_code == 201, made.text
    try:
        wait_until(lambda: runtime.get("/api/schedules/goes-on")["total_runs"] >= 2, 20, "the schedule fires")
        wait_until(
            lambda: not redis_of_runtime.zscore("rq:scheduler:scheduled_jobs", b"\xff\xfe"),
            20,
            "the invalid entry is removed",
        )
    finally:
        runtime.http.delete("/api/schedules/goes-on")
    assert not trace.exists()
