"""Repair keys that other programs overwrote in Redis, while requests continue."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from tests.conftest import StartRuntime
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue.transport import redis_key_repair
from workqueue.transport.doorbell import rq_queue

QUEUES = ("high", "default", "low")
GARBAGE: dict[str, Callable[[redis.Redis, str], Any]] = {
    "string": lambda client, key: client.set(key, b"\xff"),
    "list": lambda client, key: client.rpush(key, b"\xff", "a b"),
    "set": lambda client, key: client.sadd(key, b"\xff", "a b"),
    "zset": lambda client, key: client.zadd(key, {b"\xff": 1, b"a b": 2}),
    "hash": lambda client, key: client.hset(key, mapping={b"\xff": b"\xff"}),
    "stream": lambda client, key: client.xadd(key, {b"\xff": b"\xff"}),
}


def text(value: Any) -> str:
    return str(value.decode("utf-8", "replace"))


@pytest.fixture(scope="module")
def own_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    with start_runtime(settings={"LOCALFN_LEASE_SECONDS": "120"}) as runtime:
        yield runtime


@pytest.fixture
def client(own_runtime: Runtime) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(own_runtime.redis_url) as client:
        yield client


@pytest.mark.parametrize("kind", GARBAGE)
def test_requests_continue_with_any_value_in_any_key(own_runtime: Runtime, client: redis.Redis, kind: str) -> None:
    names = [f"rq:worker:{worker['name']}" for worker in own_runtime.get("/api/workers")["items"]]
    wanted = redis_key_repair.expected_types(QUEUES)
    for key in [*wanted, redis_key_repair.GENERATION_KEY, redis_key_repair.DASHBOARD_SECRET_KEY, *names]:
        client.delete(key)
        GARBAGE[kind](client, key)
    waiting = own_runtime.post("echo", "later", params={"delay_s": 1})
    assert own_runtime.call("echo", "now")["status"] == "completed"
    assert own_runtime.wait_ended(waiting["id"])["status"] == "completed"
    assert own_runtime.http.get("/rq/0/data/workers.json").status_code == 200
    types = {"lock": "string"}
    for key, expected in wanted.items():
        allowed = {"none", types.get(expected, expected)}
        wait_until(lambda: text(client.type(key)) in allowed, 20, f"{key} is repaired")  # noqa: B023
    wait_until(lambda: len(text(client.get(redis_key_repair.GENERATION_KEY) or b"")) == 36, 20, "a new era began")
    for name in names:
        wait_until(lambda: client.type(name) == b"hash", 30, "the worker's entry is written anew")  # noqa: B023


def test_an_invalid_registry_entry_ends_no_worker(own_runtime: Runtime, client: redis.Redis) -> None:
    before = {worker["name"] for worker in own_runtime.get("/api/workers")["items"]}
    for registry in ("wip", "finished", "failed", "deferred", "scheduled", "canceled"):
        client.zadd(f"rq:{registry}:default", {b"\xff": 1, b"\xff:\xfe": 2, b"a:b:c": 3})
    client.sadd("rq:workers", b"\xff", "rq:worker:")
    client.sadd("rq:workers:default", b"\xff")
    client.rpush("rq:queue:default", b"\xff", "", "a b", "x" * 10_000)
    redis_key_repair.clean_registries(rq_queue("default", client))
    assert client.zrange("rq:wip:default", 0, -1) == []
    assert own_runtime.call("echo", 1)["status"] == "completed"
    assert before <= {worker["name"] for worker in own_runtime.get("/api/workers")["items"]}


def test_all_processes_share_one_value(redis_client: redis.Redis) -> None:
    fresh = "0" * 32
    assert redis_key_repair.shared_value(redis_client, "a", fresh) == fresh
    assert redis_key_repair.shared_value(redis_client, "a", "1" * 32) == fresh
    for write in GARBAGE.values():
        redis_client.delete("a")
        write(redis_client, "a")
        assert redis_key_repair.shared_value(redis_client, "a", fresh) == fresh
    for wrong in ("", "0" * 31, "0" * 33, "g" * 32, "0" * 31 + "\n"):
        redis_client.set("a", wrong)
        assert redis_key_repair.shared_value(redis_client, "a", fresh) == fresh


def test_a_lock_without_expiry_is_removed(redis_client: redis.Redis) -> None:
    redis_client.set("rq:clean_registries:default", 1)
    redis_client.set("rq:clean_registries:high", 1, ex=100)
    assert redis_key_repair.repair(redis_client, QUEUES) == ["rq:clean_registries:default"]
    assert redis_client.exists("rq:clean_registries:high")
