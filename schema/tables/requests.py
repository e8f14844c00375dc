"""Tables for requests, functions and workers.

Events and results are `json`, not `jsonb`, which would change the order of keys and the text of numbers.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP

from schema.statuses import IS_FAILURE, Status

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Moment = TIMESTAMP(timezone=True)
STATUSES = ", ".join(f"'{status}'" for status in Status)

# Few rows, updated every few seconds in place: without indexes on the updated columns, PostgreSQL reuses their space by
# itself. Statistics and vacuum runs would write more than the updates.
OFTEN_UPDATED = {"fillfactor": 50, "autovacuum_vacuum_threshold": 10_000, "autovacuum_analyze_threshold": 10_000}

processing_request = Table(
    "processing_request",
    metadata,
    Column("id", Uuid, primary_key=True, comment="UUIDv7: sorts by creation"),
    Column("function", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("phase", Text),
    Column("progress_fraction", Double),
    Column("progress_message", Text),
    Column("event", JSON, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0", comment="the fencing token"),
    Column("max_attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0", comment="the function's own, in this series"),
    Column("losses", Integer, nullable=False, server_default="0", comment="lost workers, in this series"),
    Column("on_lost", Text, nullable=False),
    Column("job_id", Text, comment="the last RQ job for the request"),
    Column("queue", Text, nullable=False),
    Column("schedule", Text),
    Column("scheduled_for", Moment, comment="the tick of the schedule that created the request"),
    Column("created_at", Moment, nullable=False),
    Column("available_at", Moment, nullable=False, comment="earliest start"),
    Column("rung_at", Moment, comment="last ring of the doorbell; null: none since the request became pending"),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("lease_expires_at", Moment),
    Column("worker", Text),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("traceparent", Text, comment="the client's, W3C Trace Context"),
    # The last attempt, until another one follows; the view request_attempt shows it with the earlier ones. Written with
    # the status, it costs no row of its own, no index entry and no foreign key.
    Column("outcome", Text, comment="of the attempt in this row; null: it runs, or the row has none"),
    Column("phases", JSON, comment="[[phase, start in µs since 1970, duration in µs, outcome, error], …]"),
    Column("cold_start", Boolean),
    Column("init_ms", Double),
    Column("max_rss_mb", Double),
    Column("traceback", Text),
    Column("current_lines", JSON, comment="printed lines without an end, while it runs: [[time, stream, line], …]"),
    Column("result", JSON, comment="shown by the view processing_result"),
    CheckConstraint(f"status IN ({STATUSES})", name="status"),
    CheckConstraint("(status = 'processing') = (lease_expires_at IS NOT NULL)", name="lease"),
    CheckConstraint("(status IN ('completed', 'failed')) = (finished_at IS NOT NULL)", name="finished"),
    # Few rows are live, however large the table is. With a partial index the cost of queries for them stays constant.
    Index("ix_processing_request_due", "queue", "rung_at", "available_at", postgresql_where=text("status = 'pending'")),
    # It also finds the rows that are processing. No index has lease_expires_at: an extension then changes no index.
    Index("ix_processing_request_status_id", "status", "id"),
    Index("ix_processing_request_function_id", "function", "id"),
    Index("ix_processing_request_finished_at", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    Index("ix_processing_request_failure", "finished_at", postgresql_where=text(IS_FAILURE)),
    Index("ix_processing_request_schedule_id", "schedule", "id", postgresql_where=text("schedule IS NOT NULL")),
)

# No foreign key leads from what a worker writes to the request: its check would lock the request's row once more for
# each row. Every insert happens under a lock of the request, and lifecycle/retention.py deletes all with it.
earlier_attempt = Table(
    "earlier_attempt",
    metadata,
    # Attempts that another one followed, and all attempts that version 0.2 or older stored.
    Column("request_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("outcome", Text),
    Column("worker", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("phases", JSON, nullable=False, server_default="[]"),
    Column("cold_start", Boolean),
    Column("init_ms", Double),
    Column("max_rss_mb", Double),
    Column("error_type", Text),
    Column("error_message", Text),
    Column("traceback", Text),
)

earlier_result = Table(
    "earlier_result",
    metadata,
    # Results that version 0.2 or older stored.
    Column("request_id", Uuid, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
)


def _file_columns() -> list[Column[object]]:
    return [
        Column("request_id", Uuid, ForeignKey("processing_request.id", ondelete="CASCADE"), primary_key=True),
        Column("name", Text, primary_key=True),
        Column("filename", Text, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("content_type", Text, nullable=False),
        Column("sha256", Text, nullable=False),
        Column("stored_as", Text, nullable=False, comment="key in the file store"),
        Column("created_at", Moment, nullable=False),
    ]


output_file = Table("output_file", metadata, *_file_columns())
input_file = Table("input_file", metadata, *_file_columns())

request_log = Table(
    "request_log",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("number", Integer, primary_key=True, comment="line number in the attempt"),
    Column("time", Moment, nullable=False),
    Column("stream", Text, nullable=False),
    Column("line", Text, nullable=False),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    # The unique row is the lock: one of several equal submissions inserts it, the others wait for it and read it.
    Column("function", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column(
        "request_id",
        Uuid,
        ForeignKey("processing_request.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("body_sha256", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("batch_ids", ARRAY(Uuid), comment="of a batch, in the order of its events; null: of one request"),
)

registered_function = Table(
    "registered_function",
    metadata,
    Column("name", Text, primary_key=True),
    Column("unit", Text, nullable=False, index=True, comment="the discovered module or package"),
    Column("root", Text, comment="the folder to import from"),
    Column("module", Text, nullable=False),
    Column("source_file", Text, nullable=False),
    Column("source_line", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("timeout_s", Double, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("memory_mb", Integer, nullable=False),
    Column("retry_delay_s", Double, nullable=False),
    Column("retry_max_delay_s", Double, nullable=False),
    Column("on_lost", Text, nullable=False),
    Column("environment", JSON, nullable=False),
    Column("input_schema", JSON),
    Column("schema_checked_outside", Boolean, nullable=False),
    Column("has_cleanup", Boolean, nullable=False),
    Column("schedule", JSON(none_as_null=True), comment="what @function(schedule=…) declares; null: nothing"),
    Column("network", Boolean, nullable=False, server_default=true()),
)

discovered_unit = Table(
    "discovered_unit",
    metadata,
    Column("unit", Text, primary_key=True),
    Column("python", Text, nullable=False, comment="interpreter that imported it"),
    Column("files", JSON, nullable=False, comment="[path, mtime in ns, size] of each of its files"),
)

import_failure = Table(
    "import_failure",
    metadata,
    Column("unit", Text, primary_key=True),
    Column("source_file", Text, nullable=False),
    Column("error_type", Text, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("traceback", Text, nullable=False),
)

skipped_file = Table(
    "skipped_file",
    metadata,
    Column("source_file", Text, primary_key=True, comment="declares a function, but is not discovered"),
    Column("reason", Text, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("name", Text, primary_key=True),
    Column("hostname", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("queues", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    prefixes=["UNLOGGED"],  # a crash of PostgreSQL empties it, and the next heartbeats fill it again
    postgresql_with=OFTEN_UPDATED,
)

setup_flag = Table(
    "setup_flag",
    metadata,
    Column("name", Text, primary_key=True),
    Column("setup_complete", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
)
