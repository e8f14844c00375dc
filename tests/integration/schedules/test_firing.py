"""Turn each tick into one request, on a real PostgreSQL, with time as a parameter."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, text

from tests.integration.schedules.rows import edit, noon_plus, put, register, request_times, row
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.lifecycle import AttemptRecord, Completion
from workqueue.maintenance import cleaner
from workqueue.schedules import edits, next_run
from workqueue.schedules.firing import BATCH, FiredBatch, fire
from workqueue.transport.doorbell import Doorbell


def fire_overdue(engine: Engine, seconds: float) -> FiredBatch:
    """Fire as a scheduler does at that time whose clock reports nothing: all due rows count as overdue."""
    return fire(engine, noon_plus(seconds), noon_plus(seconds), ())


def finish_all(engine: Engine) -> None:
    with engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM processing_request WHERE status = 'pending'")).scalars().all()
    claims = lifecycle.claim(engine, ids, "w", noon_plus(3600), 8)
    assert len(claims) == len(ids)
    assert (
        lifecycle.finish(engine, [Completion(claim, "1", (), AttemptRecord()) for claim in claims], noon_plus(3600))
        == {}
    )


def test_a_tick_creates_one_request_with_its_time(engine: Engine) -> None:
    register(engine, queue="high")
    put(engine, event={"a": [1]}, description="each minute")

    assert fire_overdue(engine, -0.1).bells == []
    fired = fire_overdue(engine, 0.2)

    assert request_times(engine) == [noon_plus(0)]
    assert [bell.queue for bell in fired.bells] == ["high"]
    assert fire_overdue(engine, 0.7).bells == []
    with engine.connect() as connection:
        request = connection.execute(text("SELECT * FROM processing_request")).mappings().one()
    assert (request["schedule"], request["event"], request["status"]) == ("s", {"a": [1]}, "pending")
    found = row(engine)
    assert (found.next_run_at, found.last_run_at, found.total_runs) == (noon_plus(60), noon_plus(0.2), 1)
    assert found.last_request_id == request["id"]


def test_only_reported_schedules_fire_before_they_are_overdue(engine: Engine) -> None:
    register(engine)
    put(engine, "named")
    put(engine, "silent")

    fire(engine, noon_plus(0.2), noon_plus(-0.8), ["named", "unheard-of"])
    assert (request_times(engine, "named"), request_times(engine, "silent")) == ([noon_plus(0)], [])
    fire(engine, noon_plus(1.2), noon_plus(0.2), [])
    assert (request_times(engine, "named"), request_times(engine, "silent")) == ([noon_plus(0)], [noon_plus(0)])


def test_concurrent_schedulers_create_each_request_once(engine: Engine) -> None:
    register(engine)
    for number in range(30):
        put(engine, f"s{number}", misfire="all")
    start = threading.Barrier(6)

    def scheduler(_: int) -> None:
        start.wait()
        for second in range(0, 600, 20):
            fire_overdue(engine, second)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(scheduler, range(6)))
    fire_overdue(engine, 599)
    for number in range(30):
        assert request_times(engine, f"s{number}") == [noon_plus(60 * n) for n in range(10)]
        assert row(engine, f"s{number}").total_runs == 10


def test_a_clock_stepped_back_repeats_no_request(engine: Engine) -> None:
    register(engine)
    put(engine)
    fire_overdue(engine, 0.1)
    fire_overdue(engine, 60.1)

    # Even for a row with a time set back by SQL: its ticks are stored.
    edit(engine, "UPDATE schedule SET next_run_at = :moment", moment=noon_plus(0))
    fire_overdue(engine, 61)
    assert request_times(engine) == [noon_plus(0), noon_plus(60)]
    assert row(engine).next_run_at == noon_plus(120)


@pytest.mark.parametrize(("misfire", "count"), [("skip", 0), ("once", 1), ("all", 36)])
def test_ticks_of_three_hours_of_downtime_follow_the_misfire_rule(engine: Engine, misfire: str, count: int) -> None:
    register(engine)
    put(engine, expression="*/5 * * * *", misfire=misfire)

    for _ in range(3):
        fire_overdue(engine, 3 * 3600 - 60)

    expected = [noon_plus(300 * n) for n in range(36)]
    assert request_times(engine) == {0: [], 1: expected[-1:], 36: expected}[count]
    assert row(engine).next_run_at == noon_plus(3 * 3600)


def test_an_overlapping_tick_is_skipped_until_the_previous_request_ends(engine: Engine) -> None:
    register(engine)
    put(engine, "patient", overlap="skip")
    put(engine, "hasty")

    fire_overdue(engine, 0.1)
    fire_overdue(engine, 60.1)
    assert (request_times(engine, "patient"), request_times(engine, "hasty")) == (
        [noon_plus(0)],
        [noon_plus(0), noon_plus(60)],
    )
    finish_all(engine)
    fire_overdue(engine, 120.1)
    assert request_times(engine, "patient") == [noon_plus(0), noon_plus(120)]
    assert row(engine, "patient").total_runs == 2


def test_one_of_many_missed_ticks_fires_if_overlap_is_forbidden(engine: Engine) -> None:
    register(engine)
    put(engine, overlap="skip", misfire="all")
    fire_overdue(engine, 600)
    assert request_times(engine) == [noon_plus(0)]
    assert row(engine).next_run_at == noon_plus(660)


def test_max_runs_and_end_at_end_a_schedule(engine: Engine) -> None:
    register(engine)
    put(engine, "thrice", max_runs=3, misfire="all")
    put(engine, "until", end_at=noon_plus(60))
    put(engine, "once", "at(2026-06-01T12:00:30)")

    for second in range(0, 600, 30):
        fire_overdue(engine, second)
    assert request_times(engine, "thrice") == [noon_plus(0), noon_plus(60), noon_plus(120)]
    assert request_times(engine, "until") == [noon_plus(0), noon_plus(60)]
    assert request_times(engine, "once") == [noon_plus(30)]
    assert [row(engine, name).next_run_at for name in ("thrice", "until", "once")] == [None] * 3


def test_manual_runs_count_too(engine: Engine, redis_client: redis.Redis) -> None:
    register(engine)
    put(engine, max_runs=2, misfire="all")
    fire_overdue(engine, 0.1)
    edits.run_now(engine, Doorbell(redis_client), Clock(), "s")
    assert row(engine).next_run_at is None
    edit(engine, "UPDATE schedule SET next_run_at = :moment", moment=noon_plus(60))
    fire_overdue(engine, 180)
    assert request_times(engine) == [noon_plus(0)]
    assert (row(engine).total_runs, row(engine).next_run_at) == (2, None)


def test_a_schedule_waits_for_its_start(engine: Engine) -> None:
    register(engine)
    put(engine, expression="rate(1 minute)", start_at=noon_plus(90))
    for second in range(0, 240, 30):
        fire_overdue(engine, second)
    assert request_times(engine) == [noon_plus(90), noon_plus(150), noon_plus(210)]


def test_a_rate_keeps_its_interval_despite_delays(engine: Engine) -> None:
    register(engine)
    put(engine, expression="rate(7 seconds)", edited_s=0)
    for second in range(1, 40):
        fire_overdue(engine, second + 0.4)
    assert request_times(engine) == [noon_plus(7 * n) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("function = 'gone'", "gone"),
        ("expression = 'nonsense'", "five"),
        ("timezone = 'Mars/Olympus'", "Mars/Olympus"),
    ],
)
def test_a_row_that_cannot_fire_stores_its_error_and_affects_no_other(engine: Engine, change: str, word: str) -> None:
    register(engine)
    put(engine, "bad")
    put(engine, "good")
    edit(engine, f"UPDATE schedule SET {change} WHERE name = 'bad'")
    for second in (0.1, 60.1):
        next_run.plan_edited_schedules(engine)
        fire_overdue(engine, second)

    assert word in str(row(engine, "bad").error)
    assert request_times(engine, "bad") == []
    assert request_times(engine, "good") == [noon_plus(0), noon_plus(60)]

    edit(engine, "UPDATE schedule SET function = 'f', expression = '* * * * *', timezone = 'UTC' WHERE name = 'bad'")
    edit(engine, "UPDATE schedule SET edited_at = :moment WHERE name = 'bad'", moment=noon_plus(90))
    next_run.plan_edited_schedules(engine)
    fire_overdue(engine, 120.1)
    assert (row(engine, "bad").error, request_times(engine, "bad")) == (None, [noon_plus(120)])


def test_more_schedules_than_fit_one_transaction_all_fire(engine: Engine) -> None:
    register(engine)
    values: dict[str, Any] = {"count": BATCH + 20, "edited_at": noon_plus(-30)}
    edit(
        engine,
        "INSERT INTO schedule (name, function, expression, created_at, edited_at)"
        " SELECT 's' || n, 'f', '* * * * *', :edited_at, :edited_at FROM generate_series(1, :count) n",
        **values,
    )
    while next_run.plan_edited_schedules(engine):
        pass
    assert len(fire_overdue(engine, 0.1).bells) == BATCH
    assert len(fire_overdue(engine, 0.1).bells) == 20
    assert fire_overdue(engine, 0.1).bells == []


def test_old_ticks_are_deleted_and_recent_ticks_are_kept(engine: Engine) -> None:
    register(engine)
    put(engine)
    fire_overdue(engine, 0.1)
    clock = Clock()
    with engine.begin() as connection:
        connection.execute(text("UPDATE schedule_tick SET scheduled_for = :now"), {"now": clock.now()})
    assert cleaner.delete_old_ticks(engine, clock, 0.001) == 0
    with engine.begin() as connection:
        old = clock.now() - timedelta(days=3)
        connection.execute(text("UPDATE schedule_tick SET scheduled_for = :old"), {"old": old})
    assert cleaner.delete_old_ticks(engine, clock, 0) == 0
    assert cleaner.delete_old_ticks(engine, clock, 2) == 1
