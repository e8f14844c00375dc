"""Run accepted requests while Redis is unavailable: workers look for due requests themselves."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psutil
import pytest
import redis

from infra.embedded.redis import Redis
from tests.conftest import StartRuntime
from tests.support.embedded_servers import start, stop
from tests.support.runtime import Runtime, make_folder
from tests.support.waiting import wait_until

MARGIN_S = 15  # on a busy machine; the benchmark of recovery measures the promise
COUNT = 30

Outage = Callable[[psutil.Process, redis.Redis], AbstractContextManager[None]]


@contextmanager
def frozen(process: psutil.Process, _: redis.Redis) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()


@contextmanager
def full(_: psutil.Process, client: redis.Redis) -> Iterator[None]:
    """Let Redis reject writes that need memory, as a full one does."""
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    try:
        yield
    finally:
        client.config_set("maxmemory", "0")


@pytest.fixture(scope="module")
def own_redis() -> Iterator[tuple[str, psutil.Process]]:
    with make_folder() as folder:
        service = Redis(folder)
        process = start(service)
        try:
            yield service.url, psutil.Process(process.pid)
        finally:
            stop(service, process)


@pytest.fixture(scope="module")
def runtime(start_runtime: StartRuntime, own_redis: tuple[str, psutil.Process]) -> Iterator[Runtime]:
    with start_runtime(settings={"REDIS_URL": own_redis[0]}) as own:
        yield own


@pytest.mark.parametrize("outage", [frozen, full])
def test_accepted_requests_start_although_redis_is_unavailable(
    runtime: Runtime, own_redis: tuple[str, psutil.Process], outage: Outage
) -> None:
    assert runtime.result("echo", "before") == "before"
    url, process = own_redis
    with redis.Redis.from_url(url) as client, outage(process, client):
        ids = [runtime.post("echo", n)["id"] for n in range(COUNT)]
        accepted_at = time.monotonic()
        ended = [runtime.wait_ended(id) for id in ids]
        assert time.monotonic() - accepted_at < MARGIN_S
    assert {request["status"] for request in ended} == {"completed"}
    assert {request["attempt"] for request in ended} == {1}
    assert wait_until(lambda: runtime.result("echo", "after") == "after", MARGIN_S, "bells are heard again")
