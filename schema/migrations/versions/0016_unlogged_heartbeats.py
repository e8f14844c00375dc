"""heartbeats and snapshots write no WAL, and cause no statistics and vacuum runs

Revision: 0016, after 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

OFTEN_UPDATED = "fillfactor = 50, autovacuum_vacuum_threshold = 10000, autovacuum_analyze_threshold = 10000"


def upgrade() -> None:
    op.drop_index("ix_worker_seen_at", table_name="worker")  # an update of an indexed column also writes the indexes
    for name in ("worker", "sandbox_note"):
        op.execute(f"ALTER TABLE {name} SET ({OFTEN_UPDATED})")
        op.execute(f"ALTER TABLE {name} SET UNLOGGED")
    op.execute(f"ALTER TABLE tally_mark SET ({OFTEN_UPDATED})")


def downgrade() -> None:
    op.execute("ALTER TABLE tally_mark RESET (fillfactor, autovacuum_vacuum_threshold, autovacuum_analyze_threshold)")
    for name in ("sandbox_note", "worker"):
        op.execute(f"ALTER TABLE {name} SET LOGGED")
        op.execute(f"ALTER TABLE {name} RESET (fillfactor, autovacuum_vacuum_threshold, autovacuum_analyze_threshold)")
    op.create_index("ix_worker_seen_at", "worker", ["seen_at"])
