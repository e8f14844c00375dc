"""operations: paused queues, tallies by the minute, sandboxes

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Moment = postgresql.TIMESTAMP(timezone=True)
PENDING = sa.text("status = 'pending'")


def upgrade() -> None:
    # By queue first: what waits in a paused one is not walked through when the others are looked at.
    op.drop_index("ix_processing_request_due", "processing_request")
    op.create_index(
        "ix_processing_request_due",
        "processing_request",
        ["queue", "rung_at", "available_at"],
        postgresql_where=PENDING,
    )
    op.create_table(
        "paused_queue",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_paused_queue"),
    )
    create_tallies()
    op.create_table(
        "sandbox_note",
        sa.Column("pool", sa.Text(), nullable=False, comment="host name and process id of the pool that owns them"),
        sa.Column("sandboxes", sa.JSON(), nullable=False),
        sa.Column("seen_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("pool", name="pk_sandbox_note"),
    )


def create_tallies() -> None:
    op.create_table(
        "minute_tally",
        sa.Column("minute", Moment, nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("waits", sa.JSON(), nullable=False, comment="histogram of the time in the queue: bucket → count"),
        sa.Column("runs", sa.JSON(), nullable=False, comment="histogram of the time from claim to end: bucket → count"),
        sa.PrimaryKeyConstraint("minute", "function", name="pk_minute_tally"),
    )
    op.create_table(
        "depth_sample",
        sa.Column("minute", Moment, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "queue", name="pk_depth_sample"),
    )
    op.create_table(
        "tally_mark",
        sa.Column("single", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("until", Moment, nullable=False),
        sa.CheckConstraint("single", name=op.f("ck_tally_mark_single")),
        sa.PrimaryKeyConstraint("single", name="pk_tally_mark"),
    )


def downgrade() -> None:
    for name in ("sandbox_note", "tally_mark", "depth_sample", "minute_tally", "paused_queue"):
        op.drop_table(name)
    op.drop_index("ix_processing_request_due", "processing_request")
    op.create_index(
        "ix_processing_request_due", "processing_request", ["rung_at", "available_at"], postgresql_where=PENDING
    )
