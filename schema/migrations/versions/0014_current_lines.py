"""an attempt that runs knows the lines that have no end yet: prompts, progress bars

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "printed lines without an end, while it runs: [[time, stream, line], …]"
    op.add_column("request_attempt", sa.Column("current_lines", sa.JSON(), comment=comment))


def downgrade() -> None:
    op.drop_column("request_attempt", "current_lines")
