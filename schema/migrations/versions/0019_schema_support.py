"""A database says which older versions of localfn work with it

Revision: 0019, after 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schema_support",
        sa.Column("single", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("oldest_revision", sa.Text(), nullable=False),
        sa.CheckConstraint("single", name="ck_schema_support_single"),
        sa.PrimaryKeyConstraint("single", name="pk_schema_support"),
    )
    op.execute("INSERT INTO schema_support (oldest_revision) VALUES ('0019')")


def downgrade() -> None:
    op.drop_table("schema_support")
