"""what is observed: totals of metrics; the trace that a request belongs to

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "metric_total",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False, comment="the values of its labels, as a JSON array"),
        sa.Column(
            "values",
            sa.ARRAY(sa.Double()),
            nullable=False,
            comment="one number, or the buckets of a histogram and its sum",
        ),
        sa.PrimaryKeyConstraint("name", "labels", name="pk_metric_total"),
        # Few rows, updated every few seconds: room for the new version beside the old one.
        postgresql_with={"fillfactor": 50},
    )
    op.add_column("processing_request", sa.Column("traceparent", sa.Text(), comment="the client's, W3C Trace Context"))


def downgrade() -> None:
    op.drop_column("processing_request", "traceparent")
    op.drop_table("metric_total")
