"""Each worker pool publishes its own functions; registered_function is their union

Revision: 0018, after 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True)
OFTEN_UPDATED = "fillfactor = 50, autovacuum_vacuum_threshold = 10000, autovacuum_analyze_threshold = 10000"
# Pools that still run the version before publish to no row of their own: until they are upgraded, their functions stay.
KEEP_FUNCTIONS = """
    INSERT INTO function_pool (name, registry, published_at)
    SELECT 'before revision 0018', json_build_object('functions', json_agg(f)), 'epoch'
    FROM registered_function f HAVING count(*) > 0
    """


def upgrade() -> None:
    op.create_table(
        "function_pool",
        sa.Column("name", sa.Text(), nullable=False, comment="host name and LOCALFN_FUNCTIONS of a worker pool"),
        sa.Column(
            "registry",
            sa.JSON(),
            nullable=False,
            comment="functions, import failures, units and skipped files of its code",
        ),
        sa.Column(
            "published_at",
            MOMENT,
            nullable=False,
            comment="of two pools with a function, the later one describes it",
        ),
        sa.Column(
            "is_gone",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="silent: its functions do not count",
        ),
        sa.PrimaryKeyConstraint("name", name="pk_function_pool"),
    )
    op.create_table(
        "pool_heartbeat",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("live_since", MOMENT, nullable=False, comment="the first heartbeat after a silence"),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("pool", name="pk_pool_heartbeat"),
        prefixes=["UNLOGGED"],
    )
    op.execute(f"ALTER TABLE pool_heartbeat SET ({OFTEN_UPDATED})")
    op.create_table(
        "removed_function",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "removed_at",
            MOMENT,
            nullable=False,
            comment="when the last pool that had it was seen, or removed it",
        ),
        sa.PrimaryKeyConstraint("name", name="pk_removed_function"),
    )
    op.execute(KEEP_FUNCTIONS)


def downgrade() -> None:
    for table in ("removed_function", "pool_heartbeat", "function_pool"):
        op.drop_table(table)
