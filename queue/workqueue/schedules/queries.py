"""Read schedules."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, literal_column, select

from schema.statuses import IS_CANCELLED
from schema.tables.requests import processing_request
from schema.tables.schedules import schedule
from workqueue.errors import BadExpressionError, BadScheduleError, UnknownScheduleError, UnknownZoneError
from workqueue.functions.registry import NAME_PATTERN
from workqueue.schedules.calendar import expression, time_zones
from workqueue.schedules.calendar.timetable import Timetable, next_ticks
from workqueue.schedules.schedule import Schedule, from_row
from workqueue.schedules.validation import Rules, validate_new

PREVIEW_FIELDS = ("expression", "timezone", "start_at", "end_at")
PREVIEW_NAME = "preview"  # placeholder for the name and the function, which do not affect the times


@dataclass(frozen=True, slots=True)
class ScheduleDetails:
    """A schedule with its last request. last_status: None if no request exists, or if it was deleted."""

    schedule: Schedule
    last_status: str | None
    is_last_cancelled: bool = False


SELECT_SCHEDULES = (
    select(
        schedule,
        processing_request.c.status.label("last_status"),
        func.coalesce(literal_column(IS_CANCELLED), False).label("is_last_cancelled"),
    )
    .outerjoin(processing_request, processing_request.c.id == schedule.c.last_request_id)
    .order_by(schedule.c.name)
)


def list_schedules(engine: Engine) -> list[ScheduleDetails]:
    """Return all schedules, ordered by name."""
    with engine.connect() as connection:
        return [_from_row(row) for row in connection.execute(SELECT_SCHEDULES).mappings()]


def find(engine: Engine, name: str) -> ScheduleDetails:
    """Return a schedule with its last request. Raises UnknownScheduleError."""
    with engine.connect() as connection:
        statement = SELECT_SCHEDULES.where(schedule.c.name == _require_valid_name(name))
        row = connection.execute(statement).mappings().first()
    if row is None:
        raise _unknown_schedule(name)
    return _from_row(row)


def lock_schedule(connection: Connection, name: str) -> Schedule:
    """Lock a schedule's row until the transaction ends, and return it. Raises UnknownScheduleError."""
    statement = select(schedule).where(schedule.c.name == _require_valid_name(name)).with_for_update()
    row = connection.execute(statement).mappings().first()
    if row is None:
        raise _unknown_schedule(name)
    return from_row(row)


def next_times(stored_schedule: Schedule, now: datetime, count: int) -> list[datetime]:
    """Return at most `count` future times; for a disabled schedule, the times it would have if enabled.

    Return an empty list if a row edited by SQL is invalid; the row's `error` has the reason.
    """
    if stored_schedule.runs_left is not None:
        count = min(count, stored_schedule.runs_left)
    try:
        return next_ticks(stored_schedule.timetable, now, count)
    except (BadExpressionError, UnknownZoneError):
        return []


def _from_row(row: RowMapping | Any) -> ScheduleDetails:
    return ScheduleDetails(from_row(row), row["last_status"], row["is_last_cancelled"])


def _require_valid_name(name: str) -> str:
    # PostgreSQL rejects some strings, such as those with U+0000, even in a WHERE clause.
    if not NAME_PATTERN.fullmatch(name):
        raise _unknown_schedule(name)
    return name


def _unknown_schedule(name: str) -> UnknownScheduleError:
    return UnknownScheduleError(f"There is no schedule named {name!r}.")


def preview_ticks(body: Any, now: datetime, count: int) -> list[datetime]:
    """Return the next `count` ticks of a schedule that is not stored, for an editor. Raises BadScheduleError."""
    if not isinstance(body, dict) or not body.keys() <= set(PREVIEW_FIELDS):
        detail = f"an object with some of {', '.join(PREVIEW_FIELDS)} is needed"
        raise BadScheduleError([{"field": "body", "detail": detail}])
    rules = Rules((), 0, frozenset({PREVIEW_NAME}))
    values = validate_new({**body, "name": PREVIEW_NAME, "function": PREVIEW_NAME}, rules, now)
    start_at, end_at = values["start_at"], values["end_at"]
    rule, zone = expression.parse(values["expression"]), time_zones.find(values["timezone"])
    return next_ticks(Timetable(rule, zone, start_at or now.replace(microsecond=0), start_at, end_at), now, count)
