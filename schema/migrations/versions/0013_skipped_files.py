"""files that hold functions and are not discovered, with the reason

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "skipped_file",
        sa.Column("source_file", sa.Text(), nullable=False, comment="holds a function, and is not discovered"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source_file", name=op.f("pk_skipped_file")),
    )


def downgrade() -> None:
    op.drop_table("skipped_file")
