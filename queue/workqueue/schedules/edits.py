"""Create, change, delete and run schedules, each in one transaction. A trigger marks edited rows for the scheduler."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text, update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from schema.tables.schedules import schedule
from workqueue import lifecycle
from workqueue.audit import AuditEntry, record
from workqueue.clock import Clock
from workqueue.errors import DeclaredScheduleError, ScheduleExistsError
from workqueue.functions import registry
from workqueue.lifecycle import NewRequest
from workqueue.schedules import next_run, queries
from workqueue.schedules.validation import Rules, validate_change, validate_new
from workqueue.transport.doorbell import Doorbell, bell_log_fields

log = logging.getLogger(__name__)


def load_rules(engine: Engine, queues: tuple[str, ...], max_event_bytes: int) -> Rules:
    """Return the rules for validating schedules, with the currently registered functions."""
    return Rules(queues, max_event_bytes, registry.list_names(engine))


def create(engine: Engine, body: Any, rules: Rules, now: datetime, audit_entry: AuditEntry | None = None) -> str:
    """Create a schedule and return its name.

    Raises BadScheduleError, EventTooLargeError, ScheduleExistsError.
    """
    values = validate_new(body, rules, now)
    name: str = values["name"]
    with engine.begin() as connection:
        if not insert_new(connection, values):
            raise ScheduleExistsError(f"A schedule named {name!r} already exists; use PATCH to change it.")
        record(connection, audit_entry and replace(audit_entry, subject=name))
    return name


def insert_new(connection: Connection, values: Mapping[str, Any]) -> bool:
    """Insert a schedule from the columns that `validate_new` returned. Return False if its name is taken."""
    statement = insert(schedule).values(values).on_conflict_do_nothing().returning(schedule.c.name)
    if connection.execute(statement).first() is None:
        return False
    next_run.compute_next_run(connection, values["name"])
    return True


def change(
    engine: Engine, name: str, body: Any, rules: Rules, now: datetime, audit_entry: AuditEntry | None = None
) -> None:
    """Change the fields in the body. Raises BadScheduleError, EventTooLargeError, UnknownScheduleError."""
    with engine.begin() as connection:
        before = queries.lock_schedule(connection, name)
        values = validate_change(body, rules, before, now)
        if values:
            connection.execute(update(schedule).where(schedule.c.name == name).values(values))
            next_run.compute_next_run(connection, name)
            record(connection, audit_entry and replace(audit_entry, details={"fields": sorted(values)}))


def delete(engine: Engine, name: str, audit_entry: AuditEntry | None = None) -> None:
    """Delete a schedule and keep its requests. Raises UnknownScheduleError, DeclaredScheduleError."""
    with engine.begin() as connection:
        if queries.lock_schedule(connection, name).declared:
            raise DeclaredScheduleError
        connection.execute(text("DELETE FROM schedule WHERE name = :name"), {"name": name})
        record(connection, audit_entry)


RECORD_RUN = text(
    """
    UPDATE schedule
    SET total_runs = total_runs + 1, last_run_at = :now, last_request_id = :id,
        next_run_at = CASE WHEN total_runs + 1 >= max_runs THEN NULL ELSE next_run_at END
    WHERE name = :name
    """
)


def run_now(engine: Engine, doorbell: Doorbell, clock: Clock, name: str, audit_entry: AuditEntry | None = None) -> UUID:
    """Create a request now, regardless of the schedule's times and overlap policy. Return the request's id.

    Raises UnknownScheduleError, and UnknownFunctionError if the function no longer exists.
    """
    clock.refresh(engine)
    now = clock.now()
    with engine.begin() as connection:
        request = _accept(connection, name, now)
        connection.execute(RECORD_RUN, {"name": name, "now": now, "id": request.id})
        record(connection, audit_entry and replace(audit_entry, details={"request_id": str(request.id)}))
    doorbell.ring([request.bell])
    log.info("request accepted", extra=bell_log_fields([request.bell]) | {"schedule": name})
    return request.id


def _accept(connection: Connection, name: str, now: datetime) -> NewRequest:
    stored_schedule = queries.lock_schedule(connection, name)
    function = registry.find_on(connection, stored_schedule.function)
    request = NewRequest(
        id=uuid7(),
        function=function,
        event=stored_schedule.event,
        queue=stored_schedule.queue or function.queue,
        created_at=now,
        available_at=now,
        schedule=name,
    )
    lifecycle.accept(connection, [request])
    return request


def upsert_declared(connection: Connection, values: Mapping[str, Any]) -> None:
    """Insert or update a declared schedule. An update keeps `enabled`, which operators control."""
    statement = insert(schedule).values(**values, declared=True)
    names = [name for name in values if name not in ("name", "enabled")]
    updates = {name: statement.excluded[name] for name in names} | {"declared": True}
    connection.execute(statement.on_conflict_do_update(index_elements=[schedule.c.name], set_=updates))
    next_run.compute_next_run(connection, values["name"])
