"""Create the requests of due schedules, in the scheduler's process, so that busy workers do not delay them.

A tick is a row `(schedule, scheduled_for)`. One transaction inserts it, stores its request and updates the schedule.
A second scheduler, or this one after a crash, finds the row and creates no second request.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, RowMapping, text
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from schema.schedule_policies import Overlap, TickOutcome
from schema.statuses import LIVE
from schema.tables.schedules import schedule_tick
from workqueue import lifecycle
from workqueue.errors import BadExpressionError, UnknownZoneError
from workqueue.functions.registry import FunctionSpec, from_fields
from workqueue.lifecycle import NewRequest
from workqueue.schedules.calendar.misfires import MAX_TICKS, DueSchedule, DueTicks, select_due_ticks
from workqueue.schedules.calendar.timetable import MICROSECOND, first_after
from workqueue.schedules.schedule import COLUMN_NAMES, Schedule, from_row
from workqueue.transport.doorbell import Bell
from workqueue.transport.rq_scheduler import NextRun

log = logging.getLogger(__name__)

BATCH = 250  # schedules per transaction
# PostgreSQL aborts the transaction of a frozen process, so that another scheduler can continue.
IDLE_TRANSACTION_LIMIT_MS = 4000


@dataclass(frozen=True, slots=True)
class FiredBatch:
    """The result of one batch.

    next_runs: the next tick of each schedule. bells: to ring, because the requests are stored. late_s: how late each
    request was created.
    """

    next_runs: list[NextRun]
    bells: list[Bell]
    late_s: list[float]


@dataclass(frozen=True, slots=True)
class FiringDecision:
    """The decision for one due schedule. ticks: each with its outcome. next: the next tick; None at the end."""

    schedule: Schedule
    function: FunctionSpec | None
    ticks: tuple[tuple[datetime, TickOutcome], ...]
    next: datetime | None
    error: str | None = None


COLUMNS = ", ".join(f"s.{name}" for name in COLUMN_NAMES)
# rq-scheduler names the due schedules. Overdue rows fire without being named, because Redis may have lost them.
SELECT_DUE = text(
    f"""
    SELECT {COLUMNS}, row_to_json(f) AS registered, r.status AS status_before
    FROM schedule s
    LEFT JOIN registered_function f ON f.name = s.function
    LEFT JOIN processing_request r ON r.id = s.last_request_id
    WHERE s.enabled AND s.next_run_at <= :now AND (s.next_run_at <= :overdue OR s.name = ANY(:names))
    ORDER BY s.next_run_at, s.name LIMIT :limit
    FOR UPDATE OF s SKIP LOCKED
    """  # noqa: S608 - composed of constants
)
UPDATE_FIRED = text(
    """
    UPDATE schedule
    SET next_run_at = :next_run_at, edited_at = NULL, error = :error, total_runs = total_runs + :made,
        last_run_at = coalesce(:ran_at, last_run_at), last_request_id = coalesce(:request_id, last_request_id)
    WHERE name = :name
    """
)


def fire(engine: Engine, now: datetime, overdue: datetime, names: Sequence[str], limit: int = BATCH) -> FiredBatch:
    """Create the requests of at most `limit` due schedules: those in `names`, and those due since before `overdue`.

    After a crash before the commit the schedules are still due. After a crash after it the reconciler rings the bells.
    """
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_TRANSACTION_LIMIT_MS}"))
        values = {"now": now, "overdue": overdue, "names": list(names), "limit": limit}
        decisions = [decide(row, now) for row in connection.execute(SELECT_DUE, values).mappings().all()]
        requests = _store_ticks(connection, decisions, now)
        if decisions:
            connection.execute(
                UPDATE_FIRED,
                [row_after_firing(decision, requests.get(decision.schedule.name, []), now) for decision in decisions],
            )
    next_runs = [NextRun(decision.schedule.name, decision.schedule.expression, decision.next) for decision in decisions]
    accepted = [request for created in requests.values() for request in created]
    late_s = [(now - request.scheduled_for).total_seconds() for request in accepted if request.scheduled_for]
    return FiredBatch(next_runs, [request.bell for request in accepted], late_s)


def decide(row: RowMapping, now: datetime) -> FiringDecision:
    """Return the decision for a due schedule at `now`. Pure."""
    schedule = from_row(row)
    function = from_fields(FunctionSpec, row["registered"]) if row["registered"] else None
    if schedule.runs_left == 0:
        return FiringDecision(schedule, function, (), None)
    try:
        if function is None:
            error = f"function: there is no function named {schedule.function!r}"
            return FiringDecision(schedule, None, (), first_after(schedule.timetable, now), error)
        due_ticks = select_due_ticks(_due_schedule(schedule), now, min(MAX_TICKS, schedule.runs_left or MAX_TICKS))
    except (BadExpressionError, UnknownZoneError) as error:
        return FiringDecision(schedule, function, (), None, str(error))
    is_busy = row["status_before"] in LIVE
    ticks = tuple(zip(due_ticks.ticks, _outcomes(schedule.overlap, is_busy, len(due_ticks.ticks)), strict=True))
    return FiringDecision(schedule, function, ticks, _next_tick(schedule, due_ticks, ticks))


def _due_schedule(schedule: Schedule) -> DueSchedule:
    first, edited_at = schedule.next_run_at, schedule.edited_at
    assert first is not None
    after = first - MICROSECOND if edited_at is None else edited_at
    pending_tick = first if edited_at is not None and first <= edited_at else None
    return DueSchedule(schedule.timetable, after, schedule.misfire, schedule.misfire_grace_s, pending_tick)


def _outcomes(overlap: Overlap, is_busy: bool, count: int) -> list[TickOutcome]:
    if overlap is Overlap.ALLOW:
        return [TickOutcome.FIRED] * count
    first = TickOutcome.OVERLAPPED if is_busy else TickOutcome.FIRED
    return [first, *[TickOutcome.OVERLAPPED] * (count - 1)][:count]


def _next_tick(
    schedule: Schedule, due_ticks: DueTicks, ticks: Sequence[tuple[datetime, TickOutcome]]
) -> datetime | None:
    created = sum(outcome is TickOutcome.FIRED for _, outcome in ticks)
    has_ended = schedule.runs_left is not None and created >= schedule.runs_left
    return None if has_ended else due_ticks.next


def _store_ticks(
    connection: Connection, decisions: Sequence[FiringDecision], now: datetime
) -> dict[str, list[NewRequest]]:
    """Store the ticks, and a request for each tick that was new. Return the requests by schedule name."""
    rows: list[dict[str, Any]] = [
        {
            "schedule": decision.schedule.name,
            "scheduled_for": tick,
            "outcome": outcome,
            "request_id": uuid7() if outcome is TickOutcome.FIRED else None,
            "created_at": now,
        }
        for decision in decisions
        for tick, outcome in decision.ticks
    ]
    if not rows:
        return {}
    insert_ticks = (
        insert(schedule_tick)
        .on_conflict_do_nothing()
        .returning(schedule_tick.c.schedule, schedule_tick.c.request_id, schedule_tick.c.scheduled_for)
    )
    by_name = {decision.schedule.name: decision for decision in decisions}
    requests: dict[str, list[NewRequest]] = {}
    for row in sorted(connection.execute(insert_ticks, rows), key=lambda row: row.scheduled_for):
        if row.request_id is not None:
            request = request_for_tick(by_name[row.schedule], row.request_id, row.scheduled_for, now)
            requests.setdefault(row.schedule, []).append(request)
    if requests:
        lifecycle.accept(connection, [request for created in requests.values() for request in created])
    return requests


def request_for_tick(decision: FiringDecision, request_id: UUID, scheduled_for: datetime, now: datetime) -> NewRequest:
    assert decision.function is not None
    return NewRequest(
        id=request_id,
        function=decision.function,
        event=decision.schedule.event,
        queue=decision.schedule.queue or decision.function.queue,
        created_at=now,
        available_at=now,
        schedule=decision.schedule.name,
        scheduled_for=scheduled_for,
    )


def row_after_firing(decision: FiringDecision, created: Sequence[NewRequest], now: datetime) -> dict[str, Any]:
    """Return the columns of a schedule's row after it fired."""
    if decision.error:
        log.warning("schedule failed", extra={"schedule": decision.schedule.name, "error": decision.error})
    return {
        "name": decision.schedule.name,
        "next_run_at": decision.next,
        "error": decision.error,
        "made": len(created),
        "ran_at": now if created else None,
        "request_id": created[-1].id if created else None,
    }
