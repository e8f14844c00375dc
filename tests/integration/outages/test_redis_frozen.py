"""Redis stopped as by SIGSTOP: it is there and says nothing. One finds out; nobody else waits for it after a commit."""

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
from tests.integration.schedules.rows import made, put, register
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
class Frozen:
    """A Redis of this test's own, and a doorbell as processes have it."""

    doorbell: Doorbell
    process: psutil.Process


@pytest.fixture
def own() -> Iterator[Frozen]:
    with make_folder() as folder:
        service = Redis(folder)
        process = start(service)
        found = psutil.Process(process.pid)
        try:
            with redis_client(service.url) as client:
                yield Frozen(Doorbell(client), found)
        finally:
            found.resume()
            stop(service, process)


def pending(engine: Engine) -> set[UUID]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT id FROM processing_request WHERE status = 'pending'")).scalars())


def test_one_submit_waits_for_a_silent_redis_and_the_others_do_not(engine: Engine, own: Frozen) -> None:
    register(engine)
    function, clock = registry.find(engine, "f"), Clock()

    def submitted() -> UUID:
        (found,) = submit(engine, own.doorbell, clock, Submission(function, [1])).ids
        return found

    submitted()
    own.process.suspend()
    first = submitted()  # it finds out
    began = time.monotonic()
    others = [submitted() for _ in range(40)]
    lasted_s = time.monotonic() - began
    # Each respite costs one of them the patience; before, each cost as much.
    assert lasted_s < 40 * TIMEOUT_S / 2
    assert {first, *others} <= pending(engine), "each is accepted"

    own.process.resume()
    reconciler = Reconciler(engine, own.doorbell, Clock(), 8)

    def all_are_rung() -> bool:
        reconciler.run_iteration()
        return own.doorbell.queue_lengths(["default"]) == {"default": 42}

    wait_until(lambda: own.doorbell.ring([]), OPEN_S + 10, "it is asked again")
    wait_until(all_are_rung, 30)


def test_a_silent_redis_holds_up_neither_a_tick_nor_the_reconciler_for_long(engine: Engine, own: Frozen) -> None:
    register(engine)
    clock = Clock()
    clock.synchronise(engine)
    ticker = Ticker(engine, own.doorbell, clock, RqSchedulerMirror(own.doorbell.redis, clock))
    reconciler = Reconciler(engine, own.doorbell, Clock(), 8)
    for number in range(20):
        put(engine, f"s{number}", expression="rate(1 second)", created_at=clock.now(), edited_at=clock.now())
    ticker.run_iteration()
    own.process.suspend()

    turns, began = 0, time.monotonic()

    def all_fired() -> bool:
        nonlocal turns
        ticker.run_iteration()
        reconciler.run_iteration()
        turns += 1
        return turns > 20 and all(len(made(engine, f"s{number}")) > 1 for number in range(20))

    wait_until(all_fired, 60)
    # A turn asks Redis some six times, a look twice.
    assert time.monotonic() - began < 8 * turns * TIMEOUT_S / 2
    assert clock.now() - max(made(engine, "s0")) < timedelta(seconds=20)
