"""The audit: what people and programs changed, told in the very transaction that changed it.

So there is no change without its entry, and no entry of a change that was rolled back. What the runtime does by itself
(attempts, retries by policy, schedules that fire) is no matter of the audit: the attempts and the log tell it.
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

RETENTION = timedelta(days=400)  # a year, and the time to look at it
MAX_SUBJECT = 200


class Action(StrEnum):
    """All that is told. The first word is the kind of the subject."""

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
    """Who does what to what. details: JSON; never a secret."""

    actor: str
    action: Action
    subject: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def record(connection: Connection, act: AuditEntry | None) -> None:
    """An entry, when the caller's transaction commits. None: it was nobody's doing."""
    if act is None:
        return
    subject = act.subject[:MAX_SUBJECT] if act.subject is not None else None
    values = {"id": uuid7(), "actor": act.actor, "action": act.action, "subject": subject, "details": dict(act.details)}
    connection.execute(insert(audit_entry).values(values))
    # A request is called here what it is called everywhere: its lines are found together.
    name = "request_id" if act.action.startswith("request.") else "subject"
    log.info("audit", extra={"actor": act.actor, "action": str(act.action), name: subject})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries to list. before: a keyset cursor."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    before: UUID | None = None
    limit: int = 50


def list_entries(engine: Engine, wanted: Filter) -> tuple[Sequence[RowMapping], UUID | None]:
    """Entries, newest first, and the cursor of the next page, None on the last."""
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
    """Removes what is older than it is kept."""
    with engine.begin() as connection:
        connection.execute(delete(audit_entry).where(audit_entry.c.id < first_id(now - RETENTION)))
