"""Compute the next tick of edited rows, whether the API, a declaration or an operator with psql edited them."""

import logging
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from schema.engine import autocommit
from workqueue.errors import BadExpressionError, UnknownZoneError
from workqueue.schedules.calendar.timetable import first_after
from workqueue.schedules.schedule import COLUMN_NAMES, Schedule, from_row
from workqueue.transport.rq_scheduler import NextRun

log = logging.getLogger(__name__)

BATCH = 500  # rows per transaction

# Rows with a tick that was due before the edit are left to `firing`: an edit must not lose a tick.
SELECT_EDITED = text(
    f"""
    SELECT {", ".join(COLUMN_NAMES)} FROM schedule
    WHERE edited_at IS NOT NULL AND NOT (enabled AND next_run_at IS NOT NULL AND next_run_at <= edited_at)
        AND (CAST(:name AS text) IS NULL OR name = :name)
    ORDER BY edited_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
    """  # noqa: S608 - composed of constants
)
STORE_NEXT_RUN = text(
    "UPDATE schedule SET next_run_at = :next_run_at, error = :error, edited_at = NULL WHERE name = :name"
)
STORE_NEXT_RUN_AND_KEEP_EDITED = text(
    "UPDATE schedule SET next_run_at = :next_run_at, error = :error WHERE name = :name"
)


def plan_edited_schedules(engine: Engine, limit: int = BATCH) -> list[NextRun]:
    """Compute the next run of at most `limit` edited rows. Return them for the mirror in Redis."""
    with engine.begin() as connection:
        rows = connection.execute(SELECT_EDITED, {"name": None, "limit": limit}).mappings().all()
        planned = [next_run_values(from_row(row)) for row in rows]
        if planned:
            connection.execute(STORE_NEXT_RUN, planned)
    return [
        NextRun(row["name"], row["expression"], plan["next_run_at"]) for row, plan in zip(rows, planned, strict=True)
    ]


def compute_next_run(connection: Connection, name: str) -> None:
    """Store the next run in the transaction of an edit, so that the response contains it.

    The row stays marked as edited, and the ticker computes the next run again. It gets the same tick, because both
    start from edited_at.
    """
    for row in connection.execute(SELECT_EDITED, {"name": name, "limit": 1}).mappings().all():
        connection.execute(STORE_NEXT_RUN_AND_KEEP_EDITED, next_run_values(from_row(row)))


def next_run_values(schedule: Schedule) -> dict[str, Any]:
    """Return next_run_at and error for the row of an edited schedule."""
    next_run_at, error = first_tick_or_error(schedule)
    if error:
        log.warning("next run not computed", extra={"schedule": schedule.name, "error": error})
    return {"name": schedule.name, "next_run_at": next_run_at, "error": error}


def first_tick_or_error(schedule: Schedule) -> tuple[datetime | None, str | None]:
    """Return the first tick after the edit, or the error that prevents computing it."""
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
    """Return all schedules with a next tick, for the mirror in Redis."""
    statement = text("SELECT name, expression, next_run_at FROM schedule WHERE enabled AND next_run_at IS NOT NULL")
    with autocommit(engine) as connection:
        return [NextRun(*row) for row in connection.execute(statement)]
