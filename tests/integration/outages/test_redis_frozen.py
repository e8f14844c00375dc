"""Freeze Redis with SIGSTOP: one submit waits for the timeout; after that, none waits after its commit."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psutil
import pytest
from sqlalchemy import Engine, text

from infra.embedded.redis import Redis
from infra.processes.connections import redis_client
from tests.integration.schedules.rows import put, register, request_times
from tests.support.embedded_servers import start, stop
from tests.support.runtime import make_folder
from tests.support.waiting import wait_until
from workqueue.clock import Clock
from workqueue.functions import registry
from workqueue.maintenance.reconciler import Reconciler
from workqueue.schedules.ticker import Ticker
from workqueue.submit import Submission, submit
from workqueue.transport.circuit_breaker import OPEN_S, TIMEOUT_S
from workqueue.transport.doorbell import Doorbell
from workqueue.transport.rq_scheduler import RqSchedulerMirror


@dataclass
class FreezableRedis:
    """A Redis of this test's own, and a doorbell as processes have it."""

    doorbell: Doorbell
    process: psutil.Process


@pytest.fixture
def own_redis() -> Iterator[FreezableRedis]:
    with make_folder() as folder:
        service = Redis(folder)
        process = start(service)
        found = psutil.Process(process.pid)
        try:
            with redis_client(service.url) as client:
                yield FreezableRedis(Doorbell(client), found)
        finally:
            found.resume()
            stop(service, process)


def pending(engine: Engine) -> set[UUID]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT id FROM processing_request WHERE status = 'pending'")).scalars())


def test_one_submit_waits_for_an_unresponsive_redis_and_the_others_do_not(
    engine: Engine, own_redis: FreezableRedis
) -> None:
    register(engine)
    function, clock = registry.find(engine, "f"), Clock()

    def submitted() -> UUID:
        (found,) = submit(engine, own_redis.doorbell, clock, Submission(function, [1])).ids
        return found

    submitted()
    own_redis.process.suspend()
    first = submitted()  # This submit waits for the timeout.
    began = time.monotonic()
    others = [submitted() for _ in range(40)]
    lasted_s = time.monotonic() - began
    # After each retry interval one submit waits for the timeout; without the circuit breaker, each would.
    assert lasted_s < 40 * TIMEOUT_S / 2
    assert {first, *others} <= pending(engine), "each is accepted"

    own_redis.process.resume()
    reconciler = Reconciler(engine, own_redis.doorbell, Clock(), 8)

    def all_are_rung() -> bool:
        reconciler.run_iteration()
        return own_redis.doorbell.queue_lengths(["default"]) == {"default": 42}

    wait_until(lambda: own_redis.doorbell.ring([]), OPEN_S + 10, "it is asked again")
    wait_until(all_are_rung, 30)


def test_an_unresponsive_redis_delays_ticks_and_reconciler_only_briefly(
    engine: Engine, own_redis: FreezableRedis
) -> None:
    register(engine)
    clock = Clock()
    clock.synchronise(engine)
    ticker = Ticker(engine, own_redis.doorbell, clock, RqSchedulerMirror(own_redis.doorbell.redis, clock))
    reconciler = Reconciler(engine, own_redis.doorbell, Clock(), 8)
    for number in range(20):
        put(engine, f"s{number}", expression="rate(1 second)", created_at=clock.now(), edited_at=clock.now())
    ticker.run_iteration()
    own_redis.process.suspend()

    turns, began = 0, time.monotonic()

    def all_fired() -> bool:
        nonlocal turns
        ticker.run_iteration()
        reconciler.run_iteration()
        turns += 1
        return turns > 20 and all(len(request_times(engine, f"s{number}")) > 1 for number in range(20))

    wait_until(all_fired, 60)
    # An iteration of the reconciler calls Redis some six times, the scheduler twice.
    assert time.monotonic() - began < 8 * turns * TIMEOUT_S / 2
    assert clock.now() - max(request_times(engine, "s0")) < timedelta(seconds=20)
