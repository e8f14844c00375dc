"""Reads schedules; changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, literal_column, select

from schema.statuses import IS_CANCELLED
from schema.tables.requests import processing_request
from schema.tables.schedules import schedule
from workqueue.errors import BadExpressionError, UnknownScheduleError, UnknownZoneError
from workqueue.functions.registry import NAME
from workqueue.schedules.calendar.timetable import preview
from workqueue.schedules.schedule import Schedule, from_row


@dataclass(frozen=True, slots=True)
class Found:
    """A schedule, and how its last request stands: last_status is None when there is none, or it was deleted."""

    schedule: Schedule
    last_status: str | None
    is_last_cancelled: bool = False


LISTED = (
    select(
        schedule,
        processing_request.c.status.label("last_status"),
        func.coalesce(literal_column(IS_CANCELLED), False).label("is_last_cancelled"),
    )
    .outerjoin(processing_request, processing_request.c.id == schedule.c.last_request_id)
    .order_by(schedule.c.name)
)


def list_schedules(engine: Engine) -> list[Found]:
    """All schedules by name."""
    with engine.connect() as connection:
        return [_found(row) for row in connection.execute(LISTED).mappings()]


def find(engine: Engine, name: str) -> Found:
    """Raises UnknownScheduleError."""
    with engine.connect() as connection:
        row = connection.execute(LISTED.where(schedule.c.name == _name(name))).mappings().first()
    if row is None:
        raise _unknown(name)
    return _found(row)


def locked(connection: Connection, name: str) -> Schedule:
    """The schedule, locked until the transaction ends. Raises UnknownScheduleError."""
    statement = select(schedule).where(schedule.c.name == _name(name)).with_for_update()
    row = connection.execute(statement).mappings().first()
    if row is None:
        raise _unknown(name)
    return from_row(row)


def next_times(found: Schedule, now: datetime, count: int) -> list[datetime]:
    """The next `count` times, those of a disabled one as if it were enabled.

    Empty when there are none, or when the row cannot be read: its `error` says why.
    """
    if found.runs_left is not None:
        count = min(count, found.runs_left)
    try:
        return preview(found.timetable, now, count)
    except (BadExpressionError, UnknownZoneError):
        return []


def _found(row: RowMapping | Any) -> Found:
    return Found(from_row(row), row["last_status"], row["is_last_cancelled"])


def _name(name: str) -> str:
    # PostgreSQL refuses to look for some other texts.
    if not NAME.fullmatch(name):
        raise _unknown(name)
    return name


def _unknown(name: str) -> UnknownScheduleError:
    return UnknownScheduleError(f"There is no schedule named {name!r}.")
