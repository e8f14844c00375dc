"""Tables for schedules, which users edit, and for their ticks."""

from enum import StrEnum

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)

from schema.schedule_policies import Misfire, Overlap, TickOutcome
from schema.tables.requests import Moment, metadata

# Python cannot represent all of PostgreSQL's times: a single 'infinity' would make all rows unreadable.
BOUNDED_TIMES = ("start_at", "end_at", "next_run_at", "created_at", "edited_at")


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(value)) for value in values)})", name=column)


schedule = Table(
    "schedule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("function", Text, nullable=False),
    Column("event", JSON, nullable=False, server_default="{}"),
    Column("expression", Text, nullable=False),
    Column("timezone", Text, nullable=False, server_default="UTC"),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("start_at", Moment),
    Column("end_at", Moment),
    Column("max_runs", Integer),
    Column("misfire", Text, nullable=False, server_default=Misfire.ONCE),
    Column("misfire_grace_s", Double, nullable=False, server_default="10"),
    Column("overlap", Text, nullable=False, server_default=Overlap.ALLOW),
    Column("queue", Text, comment="null: the function's own"),
    Column("description", Text, nullable=False, server_default=""),
    Column("declared", Boolean, nullable=False, server_default=text("false"), comment="in code or localfn.toml"),
    Column("next_run_at", Moment, comment="the next tick; null: none, or not computed yet"),
    Column("last_run_at", Moment),
    Column("total_runs", Integer, nullable=False, server_default="0"),
    # No foreign key, so that requests can be deleted without updating their schedules.
    Column("last_request_id", Uuid),
    Column("error", Text, comment="why the schedule creates no requests"),
    Column("created_at", Moment, nullable=False, server_default=text("clock_timestamp()")),
    # A trigger sets it, so that the scheduler also handles edits by SQL; null once next_run_at is computed.
    Column("edited_at", Moment, server_default=text("clock_timestamp()")),
    CheckConstraint("name ~ '^[A-Za-z0-9_-]{1,64}$'", name="name"),
    _one_of("misfire", Misfire),
    _one_of("overlap", Overlap),
    CheckConstraint("misfire_grace_s >= 0", name="misfire_grace_s"),
    CheckConstraint("max_runs >= 1", name="max_runs"),
    CheckConstraint(
        " AND ".join(f"{name} > '1970-01-01Z' AND {name} < '2201-01-01Z'" for name in BOUNDED_TIMES), name="times"
    ),
    # Few rows are due or edited, however large the table is. With partial indexes an empty result costs almost nothing.
    Index("ix_schedule_due", "next_run_at", postgresql_where=text("enabled")),
    Index("ix_schedule_edited", "edited_at", postgresql_where=text("edited_at IS NOT NULL")),
)

schedule_tick = Table(
    "schedule_tick",
    metadata,
    # The primary key guarantees that each tick fires once: the row is inserted in the transaction of its request.
    Column("schedule", Text, ForeignKey("schedule.name", ondelete="CASCADE", onupdate="CASCADE"), primary_key=True),
    Column("scheduled_for", Moment, primary_key=True, index=True),
    Column("outcome", Text, nullable=False),
    Column("request_id", Uuid, comment="null: dropped, because the previous request still ran"),
    Column("created_at", Moment, nullable=False),
    _one_of("outcome", TickOutcome),
)
