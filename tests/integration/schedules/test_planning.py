"""Plan edited rows again, however they were edited, without losing a tick."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from tests.integration.schedules.rows import edit, noon_plus, put, register, request_times, row
from workqueue.schedules import edits, next_run
from workqueue.schedules.firing import fire


def test_an_inserted_row_is_planned_from_the_moment_of_its_insertion(engine: Engine) -> None:
    put(engine, edited_s=61)
    found = row(engine)
    assert (found.next_run_at, found.edited_at) == (noon_plus(120), None)
    assert next_run.plan_edited_schedules(engine) == []


@pytest.mark.parametrize(
    "change",
    [
        "expression = '30 * * * *'",
        "timezone = 'Asia/Kathmandu'",
        "enabled = false",
        "start_at = now() + interval '1 day'",
        "end_at = now() + interval '1 day'",
        "max_runs = 7",
        "function = 'g'",
    ],
)
def test_only_a_relevant_change_marks_the_row(engine: Engine, change: str) -> None:
    put(engine, expression="@yearly")
    edit(
        engine, "UPDATE schedule SET description = 'x', queue = 'high', event = '1', misfire = 'all', overlap = 'skip'"
    )
    edit(engine, "UPDATE schedule SET expression = expression, timezone = 'UTC'")
    assert row(engine).edited_at is None
    edit(engine, f"UPDATE schedule SET {change}")
    assert row(engine).edited_at is not None
    assert [wait.name for wait in next_run.plan_edited_schedules(engine)] == ["s"]
    assert row(engine).edited_at is None


def test_a_disabled_row_has_no_next_time_and_an_enabled_one_continues(engine: Engine) -> None:
    register(engine)
    put(engine, misfire="all")
    edit(engine, "UPDATE schedule SET enabled = false")
    next_run.plan_edited_schedules(engine)
    assert row(engine).next_run_at is None
    assert fire(engine, noon_plus(3600), noon_plus(3600), ()).next_runs == []

    edit(engine, "UPDATE schedule SET enabled = true")
    edit(engine, "UPDATE schedule SET edited_at = :moment", moment=noon_plus(1801))
    next_run.plan_edited_schedules(engine)
    assert row(engine).next_run_at == noon_plus(1860), "what passed while it was disabled was not missed"


def test_a_tick_that_was_due_when_the_row_was_edited_is_not_lost(engine: Engine) -> None:
    register(engine)
    put(engine)
    edit(engine, "UPDATE schedule SET expression = '*/20 * * * *', max_runs = 10")
    edit(engine, "UPDATE schedule SET edited_at = :moment", moment=noon_plus(0.2))

    assert next_run.plan_edited_schedules(engine) == []
    fire(engine, noon_plus(0.5), noon_plus(0.5), ())
    assert request_times(engine) == [noon_plus(0)]
    found = row(engine)
    assert (found.next_run_at, found.edited_at) == (noon_plus(1200), None)


def test_ticks_follow_a_renamed_row_and_are_deleted_with_it(engine: Engine) -> None:
    register(engine)
    put(engine)
    fire(engine, noon_plus(0.1), noon_plus(0.1), ())
    edit(engine, "UPDATE schedule SET name = 'renamed'")
    edit(engine, "UPDATE schedule SET next_run_at = :moment", moment=noon_plus(0))
    fire(engine, noon_plus(0.2), noon_plus(0.2), ())
    assert request_times(engine, "renamed") == []
    edit(engine, "DELETE FROM schedule")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM schedule_tick")).scalar_one() == 0
        assert connection.execute(text("SELECT count(*) FROM processing_request")).scalar_one() == 1


def test_the_table_rejects_invalid_schedules(engine: Engine) -> None:
    put(engine)
    for change in (
        "misfire = 'x'",
        "overlap = 'x'",
        "misfire_grace_s = -1",
        "max_runs = 0",
        "name = 'a b'",
        "start_at = 'infinity'",
    ):
        with pytest.raises(IntegrityError):
            edit(engine, f"UPDATE schedule SET {change}")


def test_times_are_read_in_utc_in_any_session_zone(engine: Engine) -> None:
    put(engine)
    edit(engine, "ALTER DATABASE " + str(engine.url.database) + " SET timezone TO 'Australia/Lord_Howe'")
    engine.dispose()
    found = row(engine)
    assert found.next_run_at == noon_plus(0)
    assert found.next_run_at is not None
    assert found.next_run_at.utcoffset() == timedelta(0)


def test_a_row_set_back_by_sql_continues_from_there(engine: Engine) -> None:
    """Keep missed times even after an edit that no scheduler has read yet."""
    register(engine)
    now = datetime.now(UTC)
    body = {"name": "s", "function": "f", "expression": "*/5 * * * *", "misfire": "all"}
    edits.create(engine, body, edits.load_rules(engine, ("default",), 1000), now)
    assert row(engine).edited_at is not None

    edit(engine, "UPDATE schedule SET next_run_at = :moment", moment=now - timedelta(hours=3))
    next_run.plan_edited_schedules(engine)
    fire(engine, now, now, ())
    ticks = request_times(engine)
    assert len(ticks) == 36
    assert ticks[-1] > now - timedelta(minutes=5)

    statement = "INSERT INTO schedule (name, function, expression, misfire, next_run_at)"
    edit(engine, f"{statement} VALUES ('t', 'f', '*/5 * * * *', 'once', :moment)", moment=now - timedelta(hours=3))
    next_run.plan_edited_schedules(engine)
    fire(engine, now, now, ())
    assert request_times(engine, "t") == ticks[-1:]
