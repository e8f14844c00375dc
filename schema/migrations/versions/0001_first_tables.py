"""first tables

Revision: 0001, after , 2026-11-22 13:26:44.748127
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "discovered_unit",
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("python", sa.Text(), nullable=False, comment="interpreter that imported it"),
        sa.Column(
            "files", sa.JSON(), nullable=False, comment="[path, mtime in ns, size] of each file that it consisted of"
        ),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_discovered_unit")),
    )
    op.create_table(
        "import_failure",
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("source_file", sa.Text(), nullable=False),
        sa.Column("error_type", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("traceback", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_import_failure")),
    )
    op.create_table(
        "processing_request",
        sa.Column("id", sa.Uuid(), nullable=False, comment="UUIDv7: sorts by creation"),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=True),
        sa.Column("progress_fraction", sa.Double(), nullable=True),
        sa.Column("progress_message", sa.Text(), nullable=True),
        sa.Column("event", sa.JSON(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False, comment="the fencing token"),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column(
            "failures", sa.Integer(), server_default="0", nullable=False, comment="the function's own, in this series"
        ),
        sa.Column("losses", sa.Integer(), server_default="0", nullable=False, comment="lost workers, in this series"),
        sa.Column("on_lost", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True, comment="RQ's job that rang last"),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("available_at", postgresql.TIMESTAMP(timezone=True), nullable=False, comment="not claimed before"),
        sa.Column(
            "rung_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="when the doorbell was last rung; null: not since it became pending",
        ),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'processing') = (lease_expires_at IS NOT NULL)", name=op.f("ck_processing_request_lease")
        ),
        sa.CheckConstraint(
            "(status IN ('completed', 'failed')) = (finished_at IS NOT NULL)",
            name=op.f("ck_processing_request_finished"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'processing', 'completed', 'failed')", name=op.f("ck_processing_request_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_processing_request")),
    )
    op.create_index(
        "ix_processing_request_due",
        "processing_request",
        ["available_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_processing_request_finished_at", "processing_request", ["finished_at"], unique=False)
    op.create_index("ix_processing_request_function_id", "processing_request", ["function", "id"], unique=False)
    op.create_index(
        "ix_processing_request_lease",
        "processing_request",
        ["lease_expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'processing'"),
    )
    op.create_index("ix_processing_request_status_id", "processing_request", ["status", "id"], unique=False)
    op.create_table(
        "registered_function",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False, comment="the module or package that was discovered"),
        sa.Column("root", sa.Text(), nullable=True, comment="folder that it is imported from"),
        sa.Column("module", sa.Text(), nullable=False),
        sa.Column("source_file", sa.Text(), nullable=False),
        sa.Column("source_line", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("timeout_s", sa.Double(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("memory_mb", sa.Integer(), nullable=False),
        sa.Column("retry_delay_s", sa.Double(), nullable=False),
        sa.Column("retry_max_delay_s", sa.Double(), nullable=False),
        sa.Column("on_lost", sa.Text(), nullable=False),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.Column("input_schema", sa.JSON(), nullable=True),
        sa.Column("schema_checked_outside", sa.Boolean(), nullable=False),
        sa.Column("has_cleanup", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_registered_function")),
    )
    op.create_index(op.f("ix_registered_function_unit"), "registered_function", ["unit"], unique=False)
    op.create_table(
        "setup_flag",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("setup_complete", sa.Boolean(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setup_flag")),
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hostname", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queues", sa.Text(), nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker")),
    )
    op.create_index(op.f("ix_worker_seen_at"), "worker", ["seen_at"], unique=False)
    op.create_table(
        "idempotency_key",
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["processing_request.id"], name=op.f("fk_idempotency_key_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("function", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_index(op.f("ix_idempotency_key_created_at"), "idempotency_key", ["created_at"], unique=False)
    op.create_index(op.f("ix_idempotency_key_request_id"), "idempotency_key", ["request_id"], unique=False)
    op.create_table(
        "input_file",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("stored_as", sa.Text(), nullable=False, comment="key in the file store"),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["processing_request.id"], name=op.f("fk_input_file_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", "name", name=op.f("pk_input_file")),
    )
    op.create_table(
        "output_file",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("stored_as", sa.Text(), nullable=False, comment="key in the file store"),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["processing_request.id"], name=op.f("fk_output_file_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", "name", name=op.f("pk_output_file")),
    )
    op.create_table(
        "processing_result",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["processing_request.id"], name=op.f("fk_processing_result_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_processing_result")),
    )
    op.create_table(
        "request_attempt",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True, comment="null while it runs"),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("phases", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("cold_start", sa.Boolean(), nullable=True),
        sa.Column("init_ms", sa.Double(), nullable=True),
        sa.Column("max_rss_mb", sa.Double(), nullable=True),
        sa.Column("error_type", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["processing_request.id"], name=op.f("fk_request_attempt_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("pk_request_attempt")),
    )
    op.create_table(
        "request_log",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="line number in the attempt"),
        sa.Column("time", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["processing_request.id"], name=op.f("fk_request_log_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", "attempt", "number", name=op.f("pk_request_log")),
    )


def downgrade() -> None:
    op.drop_table("request_log")
    op.drop_table("request_attempt")
    op.drop_table("processing_result")
    op.drop_table("output_file")
    op.drop_table("input_file")
    op.drop_index(op.f("ix_idempotency_key_request_id"), table_name="idempotency_key")
    op.drop_index(op.f("ix_idempotency_key_created_at"), table_name="idempotency_key")
    op.drop_table("idempotency_key")
    op.drop_index(op.f("ix_worker_seen_at"), table_name="worker")
    op.drop_table("worker")
    op.drop_table("setup_flag")
    op.drop_index(op.f("ix_registered_function_unit"), table_name="registered_function")
    op.drop_table("registered_function")
    op.drop_index("ix_processing_request_status_id", table_name="processing_request")
    op.drop_index(
        "ix_processing_request_lease",
        table_name="processing_request",
        postgresql_where=sa.text("status = 'processing'"),
    )
    op.drop_index("ix_processing_request_function_id", table_name="processing_request")
    op.drop_index("ix_processing_request_finished_at", table_name="processing_request")
    op.drop_index(
        "ix_processing_request_due", table_name="processing_request", postgresql_where=sa.text("status = 'pending'")
    )
    op.drop_table("processing_request")
    op.drop_table("import_failure")
    op.drop_table("discovered_unit")
