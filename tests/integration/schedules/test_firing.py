"""Ticks become requests, each once: against a real PostgreSQL, with the time as a parameter."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, text

from tests.integration.schedules.rows import at, edit, made, put, register, row
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.lifecycle import AttemptRecord, Completion
from workqueue.maintenance import cleaner
from workqueue.schedules import edits, next_run
from workqueue.schedules.firing import BATCH, FiredBatch, fire
from workqueue.transport.doorbell import Doorbell


def look(engine: Engine, seconds: float) -> FiredBatch:
    """What a scheduler does at that time when its clock names nothing: all that is due counts as overdue."""
    return fire(engine, at(seconds), at(seconds), ())


def finish_all(engine: Engine) -> None:
    with engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM processing_request WHERE status = 'pending'")).scalars().all()
    claims = lifecycle.claim(engine, ids, "w", at(3600), 8)
    assert len(claims) == len(ids)
    assert lifecycle.finish(engine, [Completion(claim, "1", (), AttemptRecord()) for claim in claims], at(3600)) == {}


def test_a_tick_makes_one_request_marked_with_its_time(engine: Engine) -> None:
    register(engine, queue="high")
    put(engine, event={"a": [1]}, description="each minute")

    assert look(engine, -0.1).bells == []
    fired = look(engine, 0.2)

    assert made(engine) == [at(0)]
    assert [bell.queue for bell in fired.bells] == ["high"]
    assert look(engine, 0.7).bells == []
    with engine.connect() as connection:
        request = connection.execute(text("SELECT * FROM processing_request")).mappings().one()
    assert (request["schedule"], request["event"], request["status"]) == ("s", {"a": [1]}, "pending")
    found = row(engine)
    assert (found.next_run_at, found.last_run_at, found.total_runs) == (at(60), at(0.2), 1)
    assert found.last_request_id == request["id"]


def test_only_what_the_clock_names_fires_before_it_is_overdue(engine: Engine) -> None:
    register(engine)
    put(engine, "named")
    put(engine, "silent")

    fire(engine, at(0.2), at(-0.8), ["named", "unheard-of"])
    assert (made(engine, "named"), made(engine, "silent")) == ([at(0)], [])
    fire(engine, at(1.2), at(0.2), [])
    assert (made(engine, "named"), made(engine, "silent")) == ([at(0)], [at(0)])


def test_any_number_of_schedulers_at_once_make_each_request_once(engine: Engine) -> None:
    register(engine)
    for number in range(30):
        put(engine, f"s{number}", misfire="all")
    start = threading.Barrier(6)

    def scheduler(_: int) -> None:
        start.wait()
        for second in range(0, 600, 20):
            look(engine, second)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(scheduler, range(6)))
    look(engine, 599)
    for number in range(30):
        assert made(engine, f"s{number}") == [at(60 * n) for n in range(10)]
        assert row(engine, f"s{number}").total_runs == 10


def test_a_clock_stepped_back_makes_no_request_again(engine: Engine) -> None:
    register(engine)
    put(engine)
    look(engine, 0.1)
    look(engine, 60.1)

    # Even a row that somebody sets back: the ticks are there.
    edit(engine, "UPDATE schedule SET next_run_at = :moment", moment=at(0))
    look(engine, 61)
    assert made(engine) == [at(0), at(60)]
    assert row(engine).next_run_at == at(120)


@pytest.mark.parametrize(("misfire", "count"), [("skip", 0), ("once", 1), ("all", 36)])
def test_three_hours_of_downtime(engine: Engine, misfire: str, count: int) -> None:
    register(engine)
    put(engine, expression="*/5 * * * *", misfire=misfire)

    for _ in range(3):
        look(engine, 3 * 3600 - 60)

    expected = [at(300 * n) for n in range(36)]
    assert made(engine) == {0: [], 1: expected[-1:], 36: expected}[count]
    assert row(engine).next_run_at == at(3 * 3600)


def test_an_overlapping_tick_is_left_out_until_the_request_before_has_ended(engine: Engine) -> None:
    register(engine)
    put(engine, "patient", overlap="skip")
    put(engine, "hasty")

    look(engine, 0.1)
    look(engine, 60.1)
    assert (made(engine, "patient"), made(engine, "hasty")) == ([at(0)], [at(0), at(60)])
    finish_all(engine)
    look(engine, 120.1)
    assert made(engine, "patient") == [at(0), at(120)]
    assert row(engine, "patient").total_runs == 2


def test_of_many_missed_ticks_that_may_not_overlap_one_is_made(engine: Engine) -> None:
    register(engine)
    put(engine, overlap="skip", misfire="all")
    look(engine, 600)
    assert made(engine) == [at(0)]
    assert row(engine).next_run_at == at(660)


def test_max_runs_and_end_at_end_a_schedule(engine: Engine) -> None:
    register(engine)
    put(engine, "thrice", max_runs=3, misfire="all")
    put(engine, "until", end_at=at(60))
    put(engine, "once", "at(2026-06-01T12:00:30)")

    for second in range(0, 600, 30):
        look(engine, second)
    assert made(engine, "thrice") == [at(0), at(60), at(120)]
    assert made(engine, "until") == [at(0), at(60)]
    assert made(engine, "once") == [at(30)]
    assert [row(engine, name).next_run_at for name in ("thrice", "until", "once")] == [None] * 3


def test_runs_made_by_hand_count_too(engine: Engine, redis_client: redis.Redis) -> None:
    register(engine)
    put(engine, max_runs=2, misfire="all")
    look(engine, 0.1)
    edits.run_now(engine, Doorbell(redis_client), Clock(), "s")
    assert row(engine).next_run_at is None
    edit(engine, "UPDATE schedule SET next_run_at = :moment", moment=at(60))
    look(engine, 180)
    assert made(engine) == [at(0)]
    assert (row(engine).total_runs, row(engine).next_run_at) == (2, None)


def test_a_later_start_is_waited_for(engine: Engine) -> None:
    register(engine)
    put(engine, expression="rate(1 minute)", start_at=at(90))
    for second in range(0, 240, 30):
        look(engine, second)
    assert made(engine) == [at(90), at(150), at(210)]


def test_a_rate_is_a_true_interval_whatever_the_delays(engine: Engine) -> None:
    register(engine)
    put(engine, expression="rate(7 seconds)", edited_s=0)
    for second in range(1, 40):
        look(engine, second + 0.4)
    assert made(engine) == [at(7 * n) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("function = 'gone'", "gone"),
        ("expression = 'nonsense'", "five"),
        ("timezone = 'Mars/Olympus'", "Mars/Olympus"),
    ],
)
def test_a_row_that_cannot_fire_says_why_and_hinders_no_other(engine: Engine, change: str, word: str) -> None:
    register(engine)
    put(engine, "bad")
    put(engine, "good")
    edit(engine, f"UPDATE schedule SET {change} WHERE name = 'bad'")
    for second in (0.1, 60.1):
        next_run.plan_edited_schedules(engine)
        look(engine, second)

    assert word in str(row(engine, "bad").error)
    assert made(engine, "bad") == []
    assert made(engine, "good") == [at(0), at(60)]

    edit(engine, "UPDATE schedule SET function = 'f', expression = '* * * * *', timezone = 'UTC' WHERE name = 'bad'")
    edit(engine, "UPDATE schedule SET edited_at = :moment WHERE name = 'bad'", moment=at(90))
    next_run.plan_edited_schedules(engine)
    look(engine, 120.1)
    assert (row(engine, "bad").error, made(engine, "bad")) == (None, [at(120)])


def test_more_schedules_than_one_transaction_takes_all_fire(engine: Engine) -> None:
    register(engine)
    values: dict[str, Any] = {"count": BATCH + 20, "edited_at": at(-30)}
    edit(
        engine,
        "INSERT INTO schedule (name, function, expression, created_at, edited_at)"
        " SELECT 's' || n, 'f', '* * * * *', :edited_at, :edited_at FROM generate_series(1, :count) n",
        **values,
    )
    while next_run.plan_edited_schedules(engine):
        pass
    assert len(look(engine, 0.1).bells) == BATCH
    assert len(look(engine, 0.1).bells) == 20
    assert look(engine, 0.1).bells == []


def test_old_ticks_are_forgotten_and_fresh_ones_are_kept(engine: Engine) -> None:
    register(engine)
    put(engine)
    look(engine, 0.1)
    clock = Clock()
    with engine.begin() as connection:
        connection.execute(text("UPDATE schedule_tick SET scheduled_for = :now"), {"now": clock.now()})
    assert cleaner.delete_old_ticks(engine, clock, 0.001) == 0
    with engine.begin() as connection:
        old = clock.now() - timedelta(days=3)
        connection.execute(text("UPDATE schedule_tick SET scheduled_for = :old"), {"old": old})
    assert cleaner.delete_old_ticks(engine, clock, 0) == 0
    assert cleaner.delete_old_ticks(engine, clock, 2) == 1
