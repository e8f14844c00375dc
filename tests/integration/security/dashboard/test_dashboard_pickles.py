"""Show jobs, results and workers in rq-dashboard without loading a pickle."""

import pickle
import re
import subprocess
import sys
import zlib
from base64 import b64encode
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from tests.integration.security.dashboard.calls import BOMB, JOB_FIELDS, LOADED, calls, put


def test_unpickling_is_detected() -> None:
    pickle.loads(BOMB)  # noqa: S301 - this is what the others must not do
    assert LOADED == ["builtins.print"]
    LOADED.clear()


@pytest.mark.parametrize(
    "module", ["handlers.app", "infra.processes.dashboard", "infra.processes.scheduler", "infra.processes.worker"]
)
def test_no_process_has_a_serializer_that_loads_pickles(module: str) -> None:
    code = (
        f"import {module}, pickle, rq.serializers as found; "
        "loads = [found.resolve_serializer(name).loads for name in (None, 'pickle', 'json')]; "
        "print(pickle.loads in loads, found.DefaultSerializer.loads.__name__)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "refuse_pickle"]


STATUSES = ("failed", "started", "finished", "deferred", "scheduled", "canceled", "queued")


def test_a_pickle_in_a_job_is_not_loaded(app: Flask, http: FlaskClient, redis_client: redis.Redis) -> None:
    # Each field alone, so that the page reads the others; then all together, in every status.
    jobs: list[dict[str, Any]] = [{field: BOMB} for field in JOB_FIELDS]
    jobs += [dict.fromkeys(JOB_FIELDS, BOMB) | {"status": status} for status in STATUSES]
    jobs += [{"data": BOMB, "meta": BOMB, "result": BOMB, "status": status} for status in STATUSES]
    of_a_job = [call for call in calls(app) if call[0] != "HEAD" and re.search("job|requeue|empty", call[1])]
    for fields in jobs:
        for method, path in of_a_job:
            put(redis_client, "a-job", fields)
            answer = http.open(path, method=method)
            assert answer.status_code < 500, (method, path, answer.text)


@pytest.mark.parametrize("field", ["return_value", "exc_string", "type", "worker_name", "execution_id", "created_at"])
def test_a_pickle_in_a_result_is_not_loaded(
    app: Flask, http: FlaskClient, redis_client: redis.Redis, field: str
) -> None:
    for method, path in calls(app):
        put(redis_client, "a-job", {}, "finished")
        result: dict[Any, Any] = {"type": "1", field: b64encode(BOMB)}
        redis_client.xadd("rq:results:a-job", result)
        answer = http.open(path, method=method)
        assert answer.status_code < 500, (method, path, answer.text)


def test_a_pickle_in_a_worker_or_an_execution_is_not_loaded(
    app: Flask, http: FlaskClient, redis_client: redis.Redis
) -> None:
    names = "birth death last_heartbeat pid hostname queues state current_job version python_version total_working_time"
    for name in names.split():
        redis_client.hset(f"rq:worker:{name}", mapping={"birth": "2026-01-01T00:00:00.000000Z", name: BOMB})
        redis_client.sadd("rq:workers", f"rq:worker:{name}")
        redis_client.sadd(f"rq:worker:{name}:executions", BOMB, "a-job:an-execution")
        redis_client.hset("rq:execution:an-execution", mapping={"job_id": BOMB, "created_at": BOMB})
    put(redis_client, "a-job", {}, "started")
    for method, path in calls(app):
        assert http.open(path, method=method).status_code < 500, (method, path)


def test_a_decompression_bomb_is_not_unpacked(http: FlaskClient, redis_client: redis.Redis) -> None:
    packed = zlib.compress(b"[" + b" " * 200_000_000)
    put(redis_client, "a-job", {"data": packed})
    redis_client.xadd("rq:results:a-job", {"type": "2", "exc_string": b64encode(packed)})
    answer = http.get("/rq/0/data/job/a-job.json")
    assert answer.status_code == 200
    assert len(answer.text) < 10_000
