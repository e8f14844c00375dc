"""Run the ticker with rq-scheduler as its clock: Redis holds a copy, which may be lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from rq_scheduler import Scheduler
from sqlalchemy import Engine

from tests.integration.schedules.rows import edit, put, register, request_times, row
from workqueue.clock import Clock
from workqueue.schedules import firing, next_run
from workqueue.schedules.ticker import Ticker
from workqueue.transport.doorbell import Doorbell
from workqueue.transport.rq_scheduler import RqSchedulerMirror
from workqueue.transport.safe_job import SafeJob


class SetClock(Clock):
    """Show the time that the test sets."""

    def __init__(self) -> None:
        self.shown = datetime.now(UTC).replace(microsecond=0)

    def now(self) -> datetime:
        return self.shown

    def refresh(self, engine: Engine, every_s: float = 10.0) -> None: ...

    def synchronise(self, engine: Engine) -> float:  # noqa: ARG002
        return 0.0

    def advance(self, seconds: float) -> None:
        self.shown += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def ticker(engine: Engine, redis_client: redis.Redis, clock: SetClock) -> Iterator[Ticker]:
    register(engine)
    request_times = Ticker(engine, Doorbell(redis_client), clock, RqSchedulerMirror(redis_client, clock))
    yield request_times
    request_times.deregister()


def insert_schedule(ticker: Ticker, clock: SetClock, **columns: Any) -> datetime:
    """Insert a schedule of every second; return the time of its first tick."""
    put(ticker.engine, expression="rate(1 second)", created_at=clock.now(), edited_at=clock.now(), **columns)
    ticker.run_iteration()
    return clock.now() + timedelta(seconds=1)


def scheduler_jobs(client: redis.Redis) -> Scheduler:
    """Read the jobs with rq-scheduler's own API, as a user would."""
    return Scheduler(connection=client, job_class=SafeJob)


def test_rq_schedulers_own_keys_show_the_schedules_and_their_times(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis
) -> None:
    first = insert_schedule(ticker, clock)

    jobs = list(scheduler_jobs(redis_client).get_jobs())
    assert [(job.id, job.description, job.kwargs) for job in jobs] == [
        ("schedule-s", "s: rate(1 second)", {"schedule": "s"})
    ]
    assert redis_client.zscore(Scheduler.scheduled_jobs_key, "schedule-s") == first.timestamp()
    assert redis_client.exists(ticker.mirror.key)

    edit(ticker.engine, "UPDATE schedule SET enabled = false")
    ticker.run_iteration()
    assert scheduler_jobs(redis_client).count() == 0
    assert not redis_client.exists("rq:job:schedule-s")


def test_reported_schedules_fire_and_the_copy_advances(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis
) -> None:
    first = insert_schedule(ticker, clock)
    clock.advance(1.01)
    assert ticker.mirror.due() == ["s"]
    ticker.run_iteration()

    assert request_times(ticker.engine) == [first]
    assert ticker.mirror.due() == []
    assert ticker.mirror.read() == {"s": (first + timedelta(seconds=1)).timestamp()}
    assert redis_client.llen("rq:queue:default") == 1, "the request's bell, and not the schedule's job"


@pytest.mark.parametrize("trouble", ["emptied", "job lost", "set lost", "late", "early"])
def test_each_tick_creates_one_request_despite_a_damaged_copy(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis, trouble: str
) -> None:
    first = insert_schedule(ticker, clock, misfire="all")
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
        clock.advance(1)
        ticker.run_iteration()
        ticker.compare_at = 0.0
    clock.advance(1)
    ticker.run_iteration()
    clock.advance(0.9)
    ticker.run_iteration()
    ticks = request_times(ticker.engine)
    assert ticks == [first + timedelta(seconds=n) for n in range(len(ticks))]
    assert len(ticks) >= 10


def test_without_redis_the_rows_are_the_clock(engine: Engine, clock: SetClock) -> None:
    register(engine)
    away = redis.Redis(port=1, socket_connect_timeout=0.5)
    ticker = Ticker(engine, Doorbell(away), clock, RqSchedulerMirror(away, clock))
    first = insert_schedule(ticker, clock)
    clock.advance(1.01)
    ticker.run_iteration()
    assert request_times(engine) == [first]


def test_an_unresponsive_redis_does_not_delay_a_tick(
    engine: Engine, redis_url: str, redis_client: redis.Redis, clock: SetClock
) -> None:
    register(engine)
    with redis.Redis.from_url(redis_url, socket_timeout=0.2) as impatient:
        ticker = Ticker(engine, Doorbell(impatient), clock, RqSchedulerMirror(impatient, clock))
        first = insert_schedule(ticker, clock)
        redis_client.client_pause(1500)  # The pause ends by itself; a paused Redis obeys no command.
        clock.advance(1.01)
        ticker.run_iteration()
    assert request_times(engine) == [first]


def test_a_scheduler_that_dies_after_the_commit_repeats_no_tick(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis
) -> None:
    first = insert_schedule(ticker, clock)
    clock.advance(1.01)
    firing.fire(ticker.engine, clock.now(), clock.now(), ["s"])  # The scheduler dies here: no bell, and an old copy.
    assert ticker.mirror.due() == ["s"]

    successor = Ticker(ticker.engine, ticker.doorbell, clock, RqSchedulerMirror(redis_client, clock))
    successor.start_leading()
    successor.run_iteration()
    assert request_times(ticker.engine) == [first]
    assert successor.mirror.due() == []


def test_a_scheduler_that_dies_before_the_commit_leaves_the_tick_to_the_next(
    ticker: Ticker, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = insert_schedule(ticker, clock)
    clock.advance(1.01)
    with monkeypatch.context() as patch:
        patch.setattr(firing, "row_after_firing", lambda *_: 1 / 0)
        ticker.run_guarded_iteration()
    assert request_times(ticker.engine) == []
    ticker.run_guarded_iteration()
    assert request_times(ticker.engine) == [first]


def test_a_deleted_row_is_removed_from_the_copy(ticker: Ticker, clock: SetClock) -> None:
    insert_schedule(ticker, clock)
    edit(ticker.engine, "DELETE FROM schedule")
    clock.advance(2)
    ticker.run_iteration()
    ticker.compare_at = 0.0
    ticker.run_iteration()
    assert ticker.mirror.read() == {}


def test_foreign_jobs_in_rq_schedulers_keys_are_kept(
    ticker: Ticker, clock: SetClock, redis_client: redis.Redis
) -> None:
    scheduler_jobs(redis_client).schedule(clock.now(), "os.getpid", id="somebody-elses")
    insert_schedule(ticker, clock)
    clock.advance(5)
    ticker.compare_at = 0.0
    ticker.run_iteration()
    assert "somebody-elses" in scheduler_jobs(redis_client)


def test_thousands_of_rows_are_planned_and_mirrored(ticker: Ticker) -> None:
    values = "SELECT 's' || n, 'f', '@yearly' FROM generate_series(1, 2000) n"
    edit(ticker.engine, f"INSERT INTO schedule (name, function, expression) {values}")
    for _ in range(5):
        ticker.run_iteration()
    assert len(ticker.mirror.read()) == 2000
    assert row(ticker.engine, "s1").next_run_at is not None
    assert next_run.plan_edited_schedules(ticker.engine) == []
