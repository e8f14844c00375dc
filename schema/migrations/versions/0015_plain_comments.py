"""Comments of columns in plain words: psql and the documentation show them

Revision: 0015, after 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# table, column, old comment, new comment
CHANGES = (
    ("processing_request", "job_id", "RQ's job that rang last", "the last RQ job for the request"),
    (
        "processing_request",
        "scheduled_for",
        "the time of the schedule's tick that it was made for",
        "the tick of the schedule that created the request",
    ),
    ("processing_request", "available_at", "not claimed before", "earliest start"),
    (
        "processing_request",
        "rung_at",
        "when the doorbell was last rung; null: not since it became pending",
        "last ring of the doorbell; null: none since the request became pending",
    ),
    ("registered_function", "unit", "the module or package that was discovered", "the discovered module or package"),
    ("registered_function", "root", "folder that it is imported from", "the folder to import from"),
    (
        "discovered_unit",
        "files",
        "[path, mtime in ns, size] of each file that it consisted of",
        "[path, mtime in ns, size] of each of its files",
    ),
    (
        "skipped_file",
        "source_file",
        "holds a function, and is not discovered",
        "declares a function, but is not discovered",
    ),
    (
        "api_key",
        "prefix",
        "how it begins, so that a person knows it again",
        "first characters of the key, shown in lists",
    ),
    (
        "login_failure",
        "subject",
        "whom or what the failures are counted for",
        "key of the count: a username, an address, or both",
    ),
    ("minute_tally", "failed", "without those that were cancelled", "without cancelled requests"),
    (
        "sandbox_note",
        "pool",
        "host name and process id of the pool that owns them",
        "host name and process id of the sandbox pool",
    ),
    (
        "audit_entry",
        "actor",
        "a user, key:NAME, cli:ACCOUNT, or local where nobody logs in",
        "a username, key:NAME, cli:ACCOUNT, or local without authentication",
    ),
    (
        "audit_entry",
        "subject",
        "what was changed: a request's id, a name",
        "the changed object: a request's id or a name",
    ),
    (
        "schedule",
        "next_run_at",
        "the tick that it waits for; null: none, or not planned yet",
        "the next tick; null: none, or not computed yet",
    ),
    ("schedule", "error", "why it makes no requests", "why the schedule creates no requests"),
    (
        "schedule_tick",
        "request_id",
        "null when the request before still ran",
        "null: dropped, because the previous request still ran",
    ),
)


def upgrade() -> None:
    for table, column, _, comment in CHANGES:
        op.alter_column(table, column, comment=comment)


def downgrade() -> None:
    for table, column, comment, _ in CHANGES:
        op.alter_column(table, column, comment=comment)
