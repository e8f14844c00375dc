"""whether a function may use the network

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("registered_function", sa.Column("network", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute("DELETE FROM discovered_unit")  # what each function says of it is asked again


def downgrade() -> None:
    op.drop_column("registered_function", "network")
