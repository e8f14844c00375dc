"""Check that invalid fields of a schedule are all rejected at once, each with a valid example."""

import math
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from schema.schedule_policies import Misfire, Overlap
from workqueue.errors import BadScheduleError, EventTooLargeError
from workqueue.schedules.validation import Rules, validate_declaration, validate_new

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = Rules(("high", "default"), 1000, frozenset({"report", "tidy"}))
GOOD: dict[str, Any] = {"name": "nightly", "function": "report", "expression": "@daily"}


def rejected_fields(**fields: Any) -> dict[str, str]:
    with pytest.raises(BadScheduleError) as caught:
        validate_new({name: value for name, value in (GOOD | fields).items() if value is not ...}, RULES, NOW)
    return {error["field"]: error["detail"] for error in caught.value.errors}


def test_a_minimal_schedule_gets_the_defaults() -> None:
    made = validate_new(GOOD, RULES, NOW)
    assert made == GOOD | {
        "event": {}, "timezone": "UTC", "enabled": True, "start_at": None, "end_at": None, "max_runs": None,
        "misfire": Misfire.ONCE, "misfire_grace_s": 10.0, "overlap": Overlap.ALLOW, "queue": None, "description": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "example"),
    [
        ("name", "a b", "nightly-report"),
        ("name", 5, "nightly-report"),
        ("name", ..., "name, function, expression"),
        ("function", "reprot", "report"),
        ("function", None, "valid one"),
        ("function", ..., "name, function, expression"),
        ("expression", "61 * * * *", "0 8 * * MON-FRI"),
        ("expression", 5, "rate(5 minutes)"),
        ("expression", "at(2026-03-01T11:59:59)", "at(2026-03-02T12:00:00)"),
        ("expression", "cron(0 0 1 1 ? 2020)", "at(2026-03-02T12:00:00)"),
        ("timezone", "Europe/Berlim", "Europe/Berlin"),
        ("timezone", None, "Europe/Berlin"),
        ("timezone", "Europe/Berlin" * 10_000, "Europe/Berlin"),
        ("function", "report" * 10_000, "report"),
        ("enabled", "yes", "true"),
        ("start_at", "2026-01-01T00:00:00Z", "2026-03-02T00:00:00Z"),
        ("start_at", "tomorrow", "2030-01-31T12:00:00Z"),
        ("start_at", "2026-04-01T00:00:00", "2030-01-31T12:00:00Z"),
        ("start_at", 5, "2030-01-31T12:00:00Z"),
        ("end_at", "2026-03-01T12:00:00Z", "2026-03-02T00:00:00Z"),
        ("end_at", "2026-03-01T13:00:00Z", "later"),
        ("end_at", "9999-12-31T23:59:59-12:00", "2030-01-31T12:00:00Z"),
        ("max_runs", 0, "10"),
        ("max_runs", 1.5, "10"),
        ("max_runs", True, "10"),
        ("max_runs", 2**31, "10"),
        ("misfire", "later", "skip, once, all"),
        ("misfire", ["skip"], "skip, once, all"),
        ("misfire_grace_s", -1, "10"),
        ("misfire_grace_s", "5", "10"),
        ("misfire_grace_s", 1e12, "10"),
        ("misfire_grace_s", 10**400, "10"),
        ("overlap", "wait", "allow, skip"),
        ("queue", "slow", "high, default"),
        ("description", "x" * 1001, "1000"),
        ("next_run_at", None, "expression"),
        ("frobnicate", 1, "expression"),
    ],
)
def test_a_bad_field_is_named_with_a_valid_example(field: str, value: Any, example: str) -> None:
    errors = rejected_fields(**{field: value})
    assert list(errors) == [field]
    assert example in errors[field]


def test_all_bad_fields_are_reported_at_once() -> None:
    assert set(rejected_fields(expression="x", timezone="y", overlap="z", queue="q")) == {
        "expression", "timezone", "overlap", "queue",
    }  # fmt: skip


def test_a_time_that_the_clocks_skip_is_rejected() -> None:
    errors = rejected_fields(expression="at(2026-03-29T02:30:00)", timezone="Europe/Berlin")
    assert "clocks skip it" in errors["expression"]


def test_end_before_start_is_rejected() -> None:
    errors = rejected_fields(start_at="2026-04-02T00:00:00Z", end_at="2026-04-01T00:00:00Z")
    assert "2026-04-03T00:00:00Z" in errors["end_at"]


def test_a_start_slightly_in_the_past_is_accepted() -> None:
    start = NOW - timedelta(minutes=1)
    assert validate_new(GOOD | {"start_at": start.isoformat()}, RULES, NOW)["start_at"] == start


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_an_event_that_is_not_an_object_is_rejected(body: Any) -> None:
    with pytest.raises(BadScheduleError, match="object"):
        validate_new(body, RULES, NOW)


@pytest.mark.parametrize("value", [date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), time(8), math.nan, math.inf])
def test_an_event_with_a_value_that_json_lacks_is_rejected(value: Any) -> None:
    errors = rejected_fields(event={"list": [value]})
    assert errors == {"event": "JSON has no dates, times, nan and inf; put each in quotes"}


def test_an_event_above_the_limit_is_too_large() -> None:
    with pytest.raises(EventTooLargeError):
        validate_new(GOOD | {"event": "x" * 1000}, RULES, NOW)


def test_a_declared_schedule_may_have_ended() -> None:
    body = GOOD | {"expression": "at(2020-01-01T00:00:00)", "end_at": datetime(2021, 1, 1, tzinfo=UTC)}
    assert validate_declaration(body, RULES)["end_at"] == datetime(2021, 1, 1, tzinfo=UTC)
