"""The loop with rq-scheduler as its clock: what Redis holds is a copy, and nothing depends on it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from rq_scheduler import Scheduler
from sqlalchemy import Engine

from tests.integration.schedules.rows import edit, made, put, register, row
from workqueue.clock import Clock
from workqueue.schedules import firing, next_run
from workqueue.schedules.ticker import Ticker
from workqueue.transport.doorbell import Doorbell
from workqueue.transport.rq_scheduler import RqSchedulerMirror
from workqueue.transport.safe_job import SafeJob


class SetClock(Clock):
    """Shows what the test says."""

    def __init__(self) -> None:
        self.shown = datetime.now(UTC).replace(microsecond=0)

    def now(self) -> datetime:
        return self.shown

    def refresh(self, engine: Engine, every_s: float = 10.0) -> None: ...

    def synchronise(self, engine: Engine) -> float:  # noqa: ARG002
        return 0.0

    def go(self, seconds: float) -> None:
        self.shown += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def ticker(engine: Engine, redis_client: redis.Redis, clock: SetClock) -> Iterator[Ticker]:
    register(engine)
    made = Ticker(engine, Doorbell(redis_client), clock, RqSchedulerMirror(redis_client, clock))
    yield made
    made.deregister()


def begin(ticker: Ticker, clock: SetClock, **columns: Any) -> datetime:
    """A schedule of every second; gives the time of its first tick."""
    put(ticker.engine, expression="rate(1 second)", created_at=clock.now(), edited_at=clock.now(), **columns)
    ticker.run_iteration()
    return clock.now() + timedelta(seconds=1)


def stock(client: redis.Redis) -> Scheduler:
    """rq-scheduler's own, as a person would look with."""
    return Scheduler(connection=client, job_class=SafeJob)


def test_rq_schedulers_own_keys_show_the_schedules_and_their_times(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis
) -> None:
    first = begin(ticker, clock)

    jobs = list(stock(redis_client).get_jobs())
    assert [(job.id, job.description, job.kwargs) for job in jobs] == [
        ("schedule-s", "s: rate(1 second)", {"schedule": "s"})
    ]
    assert redis_client.zscore(Scheduler.scheduled_jobs_key, "schedule-s") == first.timestamp()
    assert redis_client.exists(ticker.mirror.key)

    edit(ticker.engine, "UPDATE schedule SET enabled = false")
    ticker.run_iteration()
    assert stock(redis_client).count() == 0
    assert not redis_client.exists("rq:job:schedule-s")


def test_what_the_clock_names_fires_and_the_copy_moves_on(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis
) -> None:
    first = begin(ticker, clock)
    clock.go(1.01)
    assert ticker.mirror.due() == ["s"]
    ticker.run_iteration()

    assert made(ticker.engine) == [first]
    assert ticker.mirror.due() == []
    assert ticker.mirror.read() == {"s": (first + timedelta(seconds=1)).timestamp()}
    assert redis_client.llen("rq:queue:default") == 1, "the request's bell, and not the schedule's job"


@pytest.mark.parametrize("trouble", ["emptied", "job lost", "set lost", "late", "early"])
def test_whatever_becomes_of_the_copy_each_tick_makes_one_request(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis, trouble: str
) -> None:
    first = begin(ticker, clock, misfire="all")
    key = Scheduler.scheduled_jobs_key
    for _ in range(10):
        if trouble == "emptied":
            redis_client.flushdb()
        elif trouble == "job lost":
            redis_client.delete("rq:job:schedule-s")
        elif trouble == "set lost":
            redis_client.delete(key)
        else:
            redis_client.zadd(key, {"schedule-s": 0 if trouble == "early" else 9e9})
        clock.go(1)
        ticker.run_iteration()
        ticker.compare_at = 0.0
    clock.go(1)
    ticker.run_iteration()
    clock.go(0.9)
    ticker.run_iteration()
    ticks = made(ticker.engine)
    assert ticks == [first + timedelta(seconds=n) for n in range(len(ticks))]
    assert len(ticks) >= 10


def test_with_redis_away_the_rows_are_the_clock(engine: Engine, clock: SetClock) -> None:
    register(engine)
    away = redis.Redis(port=1, socket_connect_timeout=0.5)
    ticker = Ticker(engine, Doorbell(away), clock, RqSchedulerMirror(away, clock))
    first = begin(ticker, clock)
    clock.go(1.01)
    ticker.run_iteration()
    assert made(engine) == [first]


def test_a_deaf_redis_does_not_hold_up_a_tick(
    engine: Engine, redis_url: str, redis_client: redis.Redis, clock: SetClock
) -> None:
    register(engine)
    with redis.Redis.from_url(redis_url, socket_timeout=0.2) as impatient:
        ticker = Ticker(engine, Doorbell(impatient), clock, RqSchedulerMirror(impatient, clock))
        first = begin(ticker, clock)
        redis_client.client_pause(1500)  # it ends by itself: nothing else is heard meanwhile
        clock.go(1.01)
        ticker.run_iteration()
    assert made(engine) == [first]


def test_a_scheduler_that_dies_after_the_commit_leaves_nothing_to_repeat(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis
) -> None:
    first = begin(ticker, clock)
    clock.go(1.01)
    firing.fire(ticker.engine, clock.now(), clock.now(), ["s"])  # and here it dies: no bell, and an old copy
    assert ticker.mirror.due() == ["s"]

    heir = Ticker(ticker.engine, ticker.doorbell, clock, RqSchedulerMirror(redis_client, clock))
    heir.start_leading()
    heir.run_iteration()
    assert made(ticker.engine) == [first]
    assert heir.mirror.due() == []


def test_a_scheduler_that_dies_before_the_commit_leaves_the_tick_to_its_heir(
    ticker: Ticker, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin(ticker, clock)
    clock.go(1.01)
    with monkeypatch.context() as patch:
        patch.setattr(firing, "row_after_firing", lambda *_: 1 / 0)
        ticker.run_guarded_iteration()
    assert made(ticker.engine) == []
    ticker.run_guarded_iteration()
    assert made(ticker.engine) == [first]


def test_a_row_that_is_deleted_leaves_the_copy(ticker: Ticker, clock: SetClock) -> None:
    begin(ticker, clock)
    edit(ticker.engine, "DELETE FROM schedule")
    clock.go(2)
    ticker.run_iteration()
    ticker.compare_at = 0.0
    ticker.run_iteration()
    assert ticker.mirror.read() == {}


def test_jobs_of_others_in_rq_schedulers_keys_are_left_alone(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis
) -> None:
    stock(redis_client).schedule(clock.now(), "os.getpid", id="somebody-elses")
    begin(ticker, clock)
    clock.go(5)
    ticker.compare_at = 0.0
    ticker.run_iteration()
    assert "somebody-elses" in stock(redis_client)


def test_thousands_of_rows_are_planned_and_shown(ticker: Ticker) -> None:
    values = "SELECT 's' || n, 'f', '@yearly' FROM generate_series(1, 2000) n"
    edit(ticker.engine, f"INSERT INTO schedule (name, function, expression) {values}")
    for _ in range(5):
        ticker.run_iteration()
    assert len(ticker.mirror.read()) == 2000
    assert row(ticker.engine, "s1").next_run_at is not None
    assert next_run.plan_edited_schedules(ticker.engine) == []
