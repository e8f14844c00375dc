"""The audit log: changes by users, API keys and operators, each stored in the transaction of the change.

So every change has its entry, and no entry describes a change that was rolled back. What the runtime does by itself
(attempts, retries by policy, ticks of schedules) is not audited: attempts and log lines record it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, RowMapping, delete, insert, select
from uuid_utils.compat import uuid7

from schema.tables.audit import audit_entry
from workqueue.ids import first_id

log = logging.getLogger(__name__)

RETENTION = timedelta(days=400)  # a year, and a month to review it
MAX_SUBJECT = 200


class Action(StrEnum):
    """The actions that are audited. The first word is the kind of the subject."""

    REQUEST_RETRY = "request.retry"
    REQUEST_RUN = "request.run"
    REQUEST_CANCEL = "request.cancel"
    REQUEST_DELETE = "request.delete"
    QUEUE_PAUSE = "queue.pause"
    QUEUE_RESUME = "queue.resume"
    QUEUE_EMPTY = "queue.empty"
    SCHEDULE_CREATE = "schedule.create"
    SCHEDULE_CHANGE = "schedule.change"
    SCHEDULE_DELETE = "schedule.delete"
    SCHEDULE_RUN = "schedule.run"
    USER_CREATE = "user.create"
    USER_CHANGE = "user.change"
    USER_DELETE = "user.delete"
    KEY_CREATE = "key.create"
    KEY_REVOKE = "key.revoke"
    LOGIN = "session.login"
    LOGIN_FAILED = "session.login_failed"
    LOGOUT = "session.logout"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Hold one entry: the actor, the action and its subject. details: JSON, without secrets."""

    actor: str
    action: Action
    subject: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def record(connection: Connection, act: AuditEntry | None) -> None:
    """Insert an entry in the caller's transaction. None, for what the runtime does by itself, stores nothing."""
    if act is None:
        return
    subject = act.subject[:MAX_SUBJECT] if act.subject is not None else None
    values = {"id": uuid7(), "actor": act.actor, "action": act.action, "subject": subject, "details": dict(act.details)}
    connection.execute(insert(audit_entry).values(values))
    # request_id as in every other log line, so that one search finds all lines of a request.
    name = "request_id" if act.action.startswith("request.") else "subject"
    log.info("audit", extra={"actor": act.actor, "action": str(act.action), name: subject})


@dataclass(frozen=True, slots=True)
class Filter:
    """Select entries by field. before: a keyset cursor."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    before: UUID | None = None
    limit: int = 50


def list_entries(engine: Engine, wanted: Filter) -> tuple[Sequence[RowMapping], UUID | None]:
    """Return entries, newest first, and the cursor of the next page; None on the last page."""
    columns = audit_entry.c
    statement = select(audit_entry).order_by(columns.id.desc()).limit(wanted.limit + 1)
    for name in ("actor", "action", "subject"):
        if (value := getattr(wanted, name)) is not None:
            statement = statement.where(columns[name] == value)
    if wanted.before is not None:
        statement = statement.where(columns.id < wanted.before)
    with engine.connect() as connection:
        rows = connection.execute(statement).mappings().all()
    page = rows[: wanted.limit]
    return page, page[-1]["id"] if len(rows) > wanted.limit else None


def delete_old(engine: Engine, now: datetime) -> None:
    """Delete entries that are older than RETENTION."""
    with engine.begin() as connection:
        connection.execute(delete(audit_entry).where(audit_entry.c.id < first_id(now - RETENTION)))
