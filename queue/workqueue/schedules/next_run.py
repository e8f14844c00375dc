"""Computes the next tick of rows that were edited, by whomever: the API, a declaration, or a person with psql."""

import logging
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from workqueue.errors import BadExpressionError, UnknownZoneError
from workqueue.schedules.calendar.timetable import first_after
from workqueue.schedules.schedule import Schedule, from_row
from workqueue.transport.rq_scheduler import NextRun

log = logging.getLogger(__name__)

BATCH = 500  # rows in one transaction

# A tick that was due when the row was edited is left to `firing`: an edit must not lose it.
EDITED = text(
    """
    SELECT * FROM schedule
    WHERE edited_at IS NOT NULL AND NOT (enabled AND next_run_at IS NOT NULL AND next_run_at <= edited_at)
        AND (CAST(:name AS text) IS NULL OR name = :name)
    ORDER BY edited_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
    """
)
PLAN = text("UPDATE schedule SET next_run_at = :next_run_at, error = :error, edited_at = NULL WHERE name = :name")
FORETELL = text("UPDATE schedule SET next_run_at = :next_run_at, error = :error WHERE name = :name")


def plan_edited(engine: Engine, limit: int = BATCH) -> list[NextRun]:
    """Plans rows that were edited, up to `limit` of them; for the ticker, which shows them in Redis."""
    with engine.begin() as connection:
        rows = connection.execute(EDITED, {"name": None, "limit": limit}).mappings().all()
        planned = [next_run_values(from_row(row)) for row in rows]
        if planned:
            connection.execute(PLAN, planned)
    return [
        NextRun(row["name"], row["expression"], plan["next_run_at"]) for row, plan in zip(rows, planned, strict=True)
    ]


def compute_next_run(connection: Connection, name: str) -> None:
    """Shows in an edited row what the ticker will plan; in the transaction of the edit, so that its answer has it.

    The row stays marked as edited. The ticker comes to the same tick, because it counts from the edit as well.
    """
    for row in connection.execute(EDITED, {"name": name, "limit": 1}).mappings().all():
        connection.execute(FORETELL, next_run_values(from_row(row)))


def next_run_values(schedule: Schedule) -> dict[str, Any]:
    """What the row of an edited schedule has to say."""
    next_run_at, error = next_of(schedule)
    if error:
        log.warning("a schedule cannot be planned", extra={"schedule": schedule.name, "error": error})
    return {"name": schedule.name, "next_run_at": next_run_at, "error": error}


def next_of(schedule: Schedule) -> tuple[datetime | None, str | None]:
    """The first tick after the edit, or why there is none."""
    assert schedule.edited_at is not None
    if not schedule.enabled or schedule.runs_left == 0:
        return None, None
    try:
        return first_after(schedule.timetable, schedule.edited_at), None
    except BadExpressionError as error:
        return None, f"expression: {error}"
    except UnknownZoneError as error:
        return None, f"timezone: {error}"


def list_next_runs(engine: Engine) -> list[NextRun]:
    """Everything that waits for a tick: what Redis has to show."""
    statement = text("SELECT name, expression, next_run_at FROM schedule WHERE enabled AND next_run_at IS NOT NULL")
    with engine.connect() as connection:
        return [NextRun(*row) for row in connection.execute(statement)]
