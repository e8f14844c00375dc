"""The row of a request holds its last attempt and its result; views show both under their old names

No row of a finished request is moved or rewritten, and no index is built: each step changes the catalogue only, or the
few rows that are processing. Attempts and results that are stored already stay in their tables, which get other names.

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# name, type, comment
COLUMNS = (
    ("outcome", sa.Text, "of the attempt in this row; null: it runs, or the row has none"),
    ("phases", sa.JSON, "[[phase, start in µs since 1970, duration in µs, outcome, error], …]"),
    ("cold_start", sa.Boolean, None),
    ("init_ms", sa.Double, None),
    ("max_rss_mb", sa.Double, None),
    ("traceback", sa.Text, None),
    ("current_lines", sa.JSON, "printed lines without an end, while it runs: [[time, stream, line], …]"),
    ("result", sa.JSON, "shown by the view processing_result"),
)
RENAMED = {"request_attempt": "earlier_attempt", "processing_result": "earlier_result"}

# Phases that an older version stored are objects already.
EXPAND_PHASES = """
    CREATE FUNCTION expand_phases(phases json) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT coalesce(json_agg(CASE WHEN json_typeof(p) = 'object' THEN p ELSE json_strip_nulls(json_build_object(
            'phase', p ->> 0,
            'started_at', to_timestamp((p ->> 1)::float8 / 1000000),
            'finished_at', to_timestamp(((p ->> 1)::float8 + (p ->> 2)::float8) / 1000000),
            'duration_ms', (p ->> 2)::float8 / 1000,
            'outcome', p ->> 3,
            'error', p ->> 4)) END ORDER BY position), '[]')
        FROM json_array_elements(phases) WITH ORDINALITY AS entry (p, position)
    $$
    """
REQUEST_ATTEMPT = """
    CREATE VIEW request_attempt AS
    SELECT id AS request_id, attempt AS number, outcome, worker, started_at, finished_at,
        expand_phases(phases) AS phases, cold_start, init_ms, max_rss_mb, error_type, error_message, traceback,
        current_lines
    FROM processing_request WHERE status = 'processing' OR outcome IS NOT NULL
    UNION ALL
    SELECT request_id, number, outcome, worker, started_at, finished_at, expand_phases(phases), cold_start, init_ms,
        max_rss_mb, error_type, error_message, traceback, NULL::json
    FROM earlier_attempt
    """
PROCESSING_RESULT = """
    CREATE VIEW processing_result AS
    SELECT id AS request_id, attempt, result AS data, finished_at AS created_at
    FROM processing_request WHERE result IS NOT NULL
    UNION ALL
    SELECT request_id, attempt, data, created_at FROM earlier_result
    """
# A worker may have been killed: its attempt is still open.
MOVE_OPEN_ATTEMPTS = """
    WITH moved AS (
        DELETE FROM earlier_attempt a USING processing_request r
        WHERE r.status = 'processing' AND a.request_id = r.id AND a.number = r.attempt
        RETURNING a.request_id, a.phases, a.cold_start, a.init_ms, a.current_lines
    )
    UPDATE processing_request r
    SET phases = moved.phases, cold_start = moved.cold_start, init_ms = moved.init_ms,
        current_lines = moved.current_lines
    FROM moved WHERE r.id = moved.request_id
    """
# The views have the readers of the tables whose names they take.
GRANT_AS_BEFORE = """
    DO $$
    DECLARE reader record;
    BEGIN
        FOR reader IN
            SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS name
            FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = '{table}'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
        LOOP
            EXECUTE format('GRANT SELECT ON {view} TO %s', reader.name);
        END LOOP;
    END $$
    """
MOVE_ATTEMPTS_BACK = """
    INSERT INTO earlier_attempt (request_id, number, outcome, worker, started_at, finished_at, phases, cold_start,
        init_ms, max_rss_mb, error_type, error_message, traceback, current_lines)
    SELECT id, attempt, outcome, worker, started_at, finished_at, coalesce(phases, '[]'), cold_start, init_ms,
        max_rss_mb, error_type, error_message, traceback, current_lines
    FROM processing_request WHERE status = 'processing' OR outcome IS NOT NULL
    """
MOVE_RESULTS_BACK = """
    INSERT INTO earlier_result (request_id, attempt, data, created_at)
    SELECT id, attempt, result, finished_at FROM processing_request WHERE result IS NOT NULL
    """


def upgrade() -> None:
    for name, kind, comment in COLUMNS:
        op.add_column("processing_request", sa.Column(name, kind(), comment=comment))
    for table in (*RENAMED, "request_log"):
        op.drop_constraint(f"fk_{table}_request_id", table, type_="foreignkey")
    for table, name in RENAMED.items():
        op.rename_table(table, name)
        op.execute(f"ALTER INDEX pk_{table} RENAME TO pk_{name}")
    # By key, whatever the statistics say: a million attempts must not be read for a few open ones.
    op.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    op.execute(MOVE_OPEN_ATTEMPTS)
    op.drop_column("earlier_attempt", "current_lines")
    op.alter_column("earlier_attempt", "outcome", comment=None)
    op.drop_index("ix_processing_request_lease", "processing_request")
    op.execute(EXPAND_PHASES)
    op.execute(REQUEST_ATTEMPT)
    op.execute(PROCESSING_RESULT)
    for view, table in RENAMED.items():
        op.execute(GRANT_AS_BEFORE.format(view=view, table=table))


def downgrade() -> None:
    """Move attempts and results back to their tables: a full copy, for developers of localfn."""
    op.add_column("earlier_attempt", sa.Column("current_lines", sa.JSON()))
    op.execute(MOVE_ATTEMPTS_BACK)
    op.execute(MOVE_RESULTS_BACK)
    op.execute("UPDATE earlier_attempt SET phases = expand_phases(phases)")
    for view, table in RENAMED.items():
        op.execute(f"DROP VIEW {view}")
        op.rename_table(table, view)
        op.execute(f"ALTER INDEX pk_{table} RENAME TO pk_{view}")
    op.execute("DROP FUNCTION expand_phases")
    for table in (*RENAMED, "request_log"):
        op.create_foreign_key(
            f"fk_{table}_request_id", table, "processing_request", ["request_id"], ["id"], ondelete="CASCADE"
        )
    op.create_index(
        "ix_processing_request_lease",
        "processing_request",
        ["lease_expires_at"],
        postgresql_where=sa.text("status = 'processing'"),
    )
    for name, _, _ in COLUMNS:
        op.drop_column("processing_request", name)
