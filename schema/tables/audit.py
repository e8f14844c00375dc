"""The audit table: which actor changed what. It has no foreign keys, so entries outlive their subjects."""

from sqlalchemy import JSON, Column, Index, Table, Text, Uuid, text

from schema.tables.requests import Moment, metadata

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("id", Uuid, primary_key=True, comment="UUIDv7: sorts by time"),
    Column("time", Moment, nullable=False, server_default=text("clock_timestamp()")),
    Column("actor", Text, nullable=False, comment="a username, key:NAME, cli:ACCOUNT, or local without authentication"),
    Column("action", Text, nullable=False),
    Column("subject", Text, comment="the changed object: a request's id or a name"),
    Column("details", JSON, nullable=False),
    Index("ix_audit_entry_actor_id", "actor", "id"),
    Index("ix_audit_entry_action_id", "action", "id"),
    Index("ix_audit_entry_subject_id", "subject", "id"),
)
