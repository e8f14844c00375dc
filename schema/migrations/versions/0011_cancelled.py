"""cancelled requests are counted apart from failed ones

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CANCELLED = "status = 'failed' AND cancel_requested AND error_type = 'Cancelled'"
# The minutes that were stored before counted cancelled requests as failed. The requests that are still there correct
# them; the histograms, which hold their times too, stay as they are.
CORRECT = f"""
    UPDATE minute_tally t SET failed = t.failed - least(t.failed, c.count), cancelled = least(t.failed, c.count)
    FROM (
        SELECT date_trunc('minute', finished_at, 'UTC') AS minute, function, count(*)::int AS count
        FROM processing_request
        WHERE finished_at >= (SELECT min(minute) FROM minute_tally) AND {CANCELLED}
        GROUP BY 1, 2
    ) c WHERE t.minute = c.minute AND t.function = c.function
"""  # noqa: S608 - of constants


def upgrade() -> None:
    op.add_column(
        "minute_tally",
        sa.Column("cancelled", sa.Integer(), nullable=False, server_default="0", comment="in neither histogram"),
    )
    op.alter_column("minute_tally", "failed", comment="without those that were cancelled")
    op.execute(CORRECT)
    op.create_index(
        "ix_processing_request_failure",
        "processing_request",
        ["finished_at"],
        postgresql_where=sa.text(
            "status = 'failed' AND NOT (cancel_requested AND coalesce(error_type, '') = 'Cancelled')"
        ),
    )


def downgrade() -> None:
    op.drop_index("ix_processing_request_failure", "processing_request")
    op.execute("UPDATE minute_tally SET failed = failed + cancelled")
    op.alter_column("minute_tally", "failed", comment=None)
    op.drop_column("minute_tally", "cancelled")
