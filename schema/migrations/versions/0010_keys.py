"""no index of the ages of idempotency keys: they are forgotten one by one, by their name

Revision: 0010, after 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_idempotency_key_created_at", table_name="idempotency_key")


def downgrade() -> None:
    op.create_index("ix_idempotency_key_created_at", "idempotency_key", ["created_at"])
