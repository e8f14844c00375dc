"""who waits is found by when its bell was rung

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # However many wait: those not rung, and those rung longest ago, are at its two ends.
    op.drop_index("ix_processing_request_due", "processing_request")
    op.create_index(
        "ix_processing_request_due",
        "processing_request",
        ["rung_at", "available_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )


def downgrade() -> None:
    op.drop_index("ix_processing_request_due", "processing_request")
    op.create_index(
        "ix_processing_request_due",
        "processing_request",
        ["available_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )
