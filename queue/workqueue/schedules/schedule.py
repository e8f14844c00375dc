"""A schedule as an immutable value, read from its row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from schema.schedule_policies import Misfire, Overlap
from schema.tables.schedules import schedule
from workqueue.schedules.calendar import expression, time_zones
from workqueue.schedules.calendar.timetable import Timetable

COLUMN_NAMES = tuple(column.name for column in schedule.c)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The columns of the row. Times are in UTC. edited_at: None once the next run is computed after an edit."""

    name: str
    function: str
    event: Any
    expression: str
    timezone: str
    enabled: bool
    start_at: datetime | None
    end_at: datetime | None
    max_runs: int | None
    misfire: Misfire
    misfire_grace_s: float
    overlap: Overlap
    queue: str | None
    description: str
    declared: bool
    next_run_at: datetime | None
    last_run_at: datetime | None
    total_runs: int
    last_request_id: UUID | None
    error: str | None
    created_at: datetime
    edited_at: datetime | None

    @property
    def timetable(self) -> Timetable:
        """Return when the schedule is due.

        Raises BadExpressionError or UnknownZoneError, because users can write rows by SQL.
        """
        start_at = truncate_to_second(self.start_at)
        return Timetable(
            rule=expression.parse(self.expression),
            zone=time_zones.find(self.timezone),
            anchor=start_at or self.created_at.replace(microsecond=0),
            start_at=start_at,
            end_at=self.end_at,
        )

    @property
    def runs_left(self) -> int | None:
        """Return how many requests the schedule may still create; None for no limit."""
        return None if self.max_runs is None else max(self.max_runs - self.total_runs, 0)


def from_row(row: Mapping[Any, Any]) -> Schedule:
    """Return the schedule of a row. row: at least the columns of the table `schedule`."""
    values = {name: _to_utc(row[name]) for name in COLUMN_NAMES}
    return Schedule(**values | {"misfire": Misfire(row["misfire"]), "overlap": Overlap(row["overlap"])})


def _to_utc(value: Any) -> Any:
    # psycopg returns times in the server's zone, where Python's arithmetic ignores changes of the clock.
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def truncate_to_second(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(microsecond=0)
