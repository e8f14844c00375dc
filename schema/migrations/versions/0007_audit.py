"""the audit

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Uuid(), nullable=False, comment="UUIDv7: sorts by time"),
        sa.Column(
            "time",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            server_default=sa.text("clock_timestamp()"),
        ),
        sa.Column(
            "actor",
            sa.Text(),
            nullable=False,
            comment="a user, key:NAME, cli:ACCOUNT, or local where nobody logs in",
        ),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), comment="what was changed: a request's id, a name"),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
    )
    for column in ("actor", "action", "subject"):
        op.create_index(f"ix_audit_entry_{column}_id", "audit_entry", [column, "id"])


def downgrade() -> None:
    op.drop_table("audit_entry")
