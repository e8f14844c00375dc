"""an idempotency key of a batch knows the ids of all its requests

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "of a batch, in the order of its events; null: of one request"
    op.add_column("idempotency_key", sa.Column("batch_ids", ARRAY(sa.Uuid()), comment=comment))


def downgrade() -> None:
    op.execute("DELETE FROM idempotency_key WHERE batch_ids IS NOT NULL")
    op.drop_column("idempotency_key", "batch_ids")
