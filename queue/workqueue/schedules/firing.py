"""Makes requests of ticks, in the scheduler's own process: a busy worker cannot delay one.

A tick is a row `(schedule, scheduled_for)`, inserted in the transaction that stores its request and moves the schedule
on. Whoever else tries the same tick, another scheduler or this one after a crash, finds the row and makes nothing.
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
from workqueue.functions.registry import FunctionSpec
from workqueue.lifecycle import NewRequest
from workqueue.schedules.calendar.misfires import MAX_TICKS, DueSchedule, DueTicks, select_due_ticks
from workqueue.schedules.calendar.timetable import MICROSECOND, first_after
from workqueue.schedules.schedule import Schedule, from_row
from workqueue.transport.doorbell import Bell
from workqueue.transport.rq_scheduler import NextRun

log = logging.getLogger(__name__)

BATCH = 250  # schedules in one transaction
IDLE_TRANSACTION_LIMIT_MS = (
    4000  # PostgreSQL ends a transaction whose process is frozen, so that another scheduler goes on
)


@dataclass(frozen=True, slots=True)
class FiredBatch:
    """One batch. next_runs: what its schedules wait for now; bells: to ring, now that the requests are stored.

    late_s: by how much each request came after its time.
    """

    next_runs: list[NextRun]
    bells: list[Bell]
    late_s: list[float]


@dataclass(frozen=True, slots=True)
class FiringDecision:
    """What one schedule does now. ticks: with what each does; next: the tick to wait for then."""

    schedule: Schedule
    function: FunctionSpec | None
    ticks: tuple[tuple[datetime, TickOutcome], ...]
    next: datetime | None
    error: str | None = None


# The clock names what it holds for due; a row that is overdue counts without being named: the clock may have lost it.
SELECT_DUE = text(
    """
    SELECT s.*, row_to_json(f) AS registered, r.status AS status_before
    FROM schedule s
    LEFT JOIN registered_function f ON f.name = s.function
    LEFT JOIN processing_request r ON r.id = s.last_request_id
    WHERE s.enabled AND s.next_run_at <= :now AND (s.next_run_at <= :overdue OR s.name = ANY(:names))
    ORDER BY s.next_run_at, s.name LIMIT :limit
    FOR UPDATE OF s SKIP LOCKED
    """
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
    """Makes the requests of up to `limit` schedules that are due: those named, and those due since `overdue`.

    A crash before the commit leaves them due; one after it leaves bells not rung, which the reconciler rings.
    """
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_TRANSACTION_LIMIT_MS}"))
        values = {"now": now, "overdue": overdue, "names": list(names), "limit": limit}
        moves = [decide(row, now) for row in connection.execute(SELECT_DUE, values).mappings().all()]
        requests = _store_ticks(connection, moves, now)
        if moves:
            connection.execute(
                UPDATE_FIRED, [row_after_firing(move, requests.get(move.schedule.name, []), now) for move in moves]
            )
    next_runs = [NextRun(move.schedule.name, move.schedule.expression, move.next) for move in moves]
    accepted = [request for made in requests.values() for request in made]
    late_s = [(now - request.scheduled_for).total_seconds() for request in accepted if request.scheduled_for]
    return FiredBatch(next_runs, [request.bell for request in accepted], late_s)


def decide(row: RowMapping, now: datetime) -> FiringDecision:
    """What a row that is due does at `now`. Pure."""
    schedule = from_row(row)
    function = FunctionSpec(**row["registered"]) if row["registered"] else None
    if schedule.runs_left == 0:
        return FiringDecision(schedule, function, (), None)
    try:
        if function is None:
            error = f"function: there is no function named {schedule.function!r}"
            return FiringDecision(schedule, None, (), first_after(schedule.timetable, now), error)
        found = select_due_ticks(_due_schedule(schedule), now, min(MAX_TICKS, schedule.runs_left or MAX_TICKS))
    except (BadExpressionError, UnknownZoneError) as error:
        return FiringDecision(schedule, function, (), None, str(error))
    busy = row["status_before"] in LIVE
    ticks = tuple(zip(found.ticks, _outcomes(schedule.overlap, busy, len(found.ticks)), strict=True))
    return FiringDecision(schedule, function, ticks, _next_tick(schedule, found, ticks))


def _due_schedule(schedule: Schedule) -> DueSchedule:
    first, edited_at = schedule.next_run_at, schedule.edited_at
    assert first is not None
    since = first - MICROSECOND if edited_at is None else edited_at
    kept = first if edited_at is not None and first <= edited_at else None
    return DueSchedule(schedule.timetable, since, schedule.misfire, schedule.misfire_grace_s, kept)


def _outcomes(overlap: Overlap, busy: bool, count: int) -> list[TickOutcome]:
    if overlap is Overlap.ALLOW:
        return [TickOutcome.FIRED] * count
    first = TickOutcome.OVERLAPPED if busy else TickOutcome.FIRED
    return [first, *[TickOutcome.OVERLAPPED] * (count - 1)][:count]


def _next_tick(schedule: Schedule, found: DueTicks, ticks: Sequence[tuple[datetime, TickOutcome]]) -> datetime | None:
    made = sum(outcome is TickOutcome.FIRED for _, outcome in ticks)
    ends = schedule.runs_left is not None and made >= schedule.runs_left
    return None if ends else found.next


def _store_ticks(connection: Connection, moves: Sequence[FiringDecision], now: datetime) -> dict[str, list[NewRequest]]:
    """Stores the ticks, and the requests of those that nobody stored before. By the schedule's name."""
    rows: list[dict[str, Any]] = [
        {
            "schedule": move.schedule.name,
            "scheduled_for": tick,
            "outcome": outcome,
            "request_id": uuid7() if outcome is TickOutcome.FIRED else None,
            "created_at": now,
        }
        for move in moves
        for tick, outcome in move.ticks
    ]
    if not rows:
        return {}
    taken = (
        insert(schedule_tick)
        .on_conflict_do_nothing()
        .returning(schedule_tick.c.schedule, schedule_tick.c.request_id, schedule_tick.c.scheduled_for)
    )
    by_name = {move.schedule.name: move for move in moves}
    requests: dict[str, list[NewRequest]] = {}
    for row in sorted(connection.execute(taken, rows), key=lambda row: row.scheduled_for):
        if row.request_id is not None:
            request = request_for_tick(by_name[row.schedule], row.request_id, row.scheduled_for, now)
            requests.setdefault(row.schedule, []).append(request)
    if requests:
        lifecycle.accept(connection, [request for made in requests.values() for request in made])
    return requests


def request_for_tick(move: FiringDecision, request_id: UUID, scheduled_for: datetime, now: datetime) -> NewRequest:
    assert move.function is not None
    return NewRequest(
        id=request_id,
        function=move.function,
        event=move.schedule.event,
        queue=move.schedule.queue or move.function.queue,
        created_at=now,
        available_at=now,
        schedule=move.schedule.name,
        scheduled_for=scheduled_for,
    )


def row_after_firing(move: FiringDecision, made: Sequence[NewRequest], now: datetime) -> dict[str, Any]:
    """What its row says after a move."""
    if move.error:
        log.warning("a schedule makes no requests", extra={"schedule": move.schedule.name, "error": move.error})
    return {
        "name": move.schedule.name,
        "next_run_at": move.next,
        "error": move.error,
        "made": len(made),
        "ran_at": now if made else None,
        "request_id": made[-1].id if made else None,
    }
