"""schedules

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Moment = postgresql.TIMESTAMP(timezone=True)

# Whoever edits a row, the API or a person with psql: the scheduler sees when, and plans it anew. The columns that
# it writes itself are not among these.
PLANNED_FROM = ("function", "expression", "timezone", "enabled", "start_at", "end_at", "max_runs")
TIMES = ("start_at", "end_at", "next_run_at", "created_at", "edited_at")
NOTE_EDIT = """
CREATE FUNCTION note_schedule_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.edited_at := clock_timestamp();
    RETURN NEW;
END
$$
"""
ON_EDIT = f"""
CREATE TRIGGER note_schedule_edit BEFORE UPDATE OF {", ".join(PLANNED_FROM)} ON schedule
FOR EACH ROW WHEN (({", ".join(f"OLD.{name}" for name in PLANNED_FROM)})
       IS DISTINCT FROM ({", ".join(f"NEW.{name}" for name in PLANNED_FROM)}))
EXECUTE FUNCTION note_schedule_edit()
"""
# Whoever sets next_run_at to a time that is past wants the schedule to go on from there, and not from an edit.
NOTE_REWIND = """
CREATE FUNCTION note_schedule_rewind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.edited_at := NULL;
    RETURN NEW;
END
$$
"""
ON_REWIND = """
CREATE TRIGGER note_schedule_rewind BEFORE INSERT OR UPDATE OF next_run_at ON schedule
FOR EACH ROW WHEN (NEW.next_run_at <= clock_timestamp()) EXECUTE FUNCTION note_schedule_rewind()
"""


def upgrade() -> None:
    create_schedule()
    create_tick()
    op.add_column("registered_function", sa.Column("schedule", sa.JSON(), nullable=True))
    op.execute("COMMENT ON COLUMN registered_function.schedule IS 'what @function(schedule=…) declares; null: nothing'")
    # What was discovered before says nothing of schedules: every module is looked at again.
    op.execute("DELETE FROM discovered_unit")
    op.add_column(
        "processing_request",
        sa.Column("scheduled_for", Moment, comment="the time of the schedule's tick that it was made for"),
    )
    op.create_index(
        "ix_processing_request_schedule_id",
        "processing_request",
        ["schedule", "id"],
        postgresql_where=sa.text("schedule IS NOT NULL"),
    )


def create_schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("event", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("expression", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("start_at", Moment),
        sa.Column("end_at", Moment),
        sa.Column("max_runs", sa.Integer()),
        sa.Column("misfire", sa.Text(), server_default="once", nullable=False),
        sa.Column("misfire_grace_s", sa.Double(), server_default="10", nullable=False),
        sa.Column("overlap", sa.Text(), server_default="allow", nullable=False),
        sa.Column("queue", sa.Text(), comment="null: the function's own"),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "declared", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="in code or localfn.toml"
        ),
        sa.Column("next_run_at", Moment, comment="the tick that it waits for; null: none, or not planned yet"),
        sa.Column("last_run_at", Moment),
        sa.Column("total_runs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_request_id", sa.Uuid()),
        sa.Column("error", sa.Text(), comment="why it makes no requests"),
        sa.Column("created_at", Moment, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("edited_at", Moment, server_default=sa.text("clock_timestamp()")),
        sa.CheckConstraint("name ~ '^[A-Za-z0-9_-]{1,64}$'", name=op.f("ck_schedule_name")),
        sa.CheckConstraint("misfire IN ('skip', 'once', 'all')", name=op.f("ck_schedule_misfire")),
        sa.CheckConstraint("overlap IN ('allow', 'skip')", name=op.f("ck_schedule_overlap")),
        sa.CheckConstraint("misfire_grace_s >= 0", name=op.f("ck_schedule_misfire_grace_s")),
        sa.CheckConstraint("max_runs >= 1", name=op.f("ck_schedule_max_runs")),
        sa.CheckConstraint(
            " AND ".join(f"{name} > '1970-01-01Z' AND {name} < '2201-01-01Z'" for name in TIMES),
            name=op.f("ck_schedule_times"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedule")),
    )
    op.create_index("ix_schedule_due", "schedule", ["next_run_at"], postgresql_where=sa.text("enabled"))
    op.create_index("ix_schedule_edited", "schedule", ["edited_at"], postgresql_where=sa.text("edited_at IS NOT NULL"))
    op.execute(NOTE_EDIT)
    op.execute(ON_EDIT)
    op.execute(NOTE_REWIND)
    op.execute(ON_REWIND)


def create_tick() -> None:
    op.create_table(
        "schedule_tick",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("scheduled_for", Moment, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Uuid(), comment="null when the request before still ran"),
        sa.Column("created_at", Moment, nullable=False),
        sa.CheckConstraint("outcome IN ('fired', 'overlapped')", name=op.f("ck_schedule_tick_outcome")),
        sa.ForeignKeyConstraint(
            ["schedule"],
            ["schedule.name"],
            name=op.f("fk_schedule_tick_schedule"),
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
        sa.PrimaryKeyConstraint("schedule", "scheduled_for", name=op.f("pk_schedule_tick")),
    )
    op.create_index(op.f("ix_schedule_tick_scheduled_for"), "schedule_tick", ["scheduled_for"])


def downgrade() -> None:
    op.drop_index("ix_processing_request_schedule_id", table_name="processing_request")
    op.drop_column("processing_request", "scheduled_for")
    op.drop_column("registered_function", "schedule")
    op.drop_table("schedule_tick")
    op.drop_table("schedule")
    op.execute("DROP FUNCTION note_schedule_edit()")
    op.execute("DROP FUNCTION note_schedule_rewind()")
