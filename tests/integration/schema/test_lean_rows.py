"""Migrate rows of version 0.2: the last attempt and the result move into the row only for requests that run."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text

from schema.engine import make_engine
from schema.migrate import alembic_config, differences
from tests.integration.lifecycle.steps import LEASE_S
from workqueue import lifecycle
from workqueue.requests import queries

FINISHED = 5_000
PHASES = """[{"phase": "validate", "started_at": "2026-01-01T12:00:00+00:00", "duration_ms": 1.5, "outcome": "ok",
              "finished_at": "2026-01-01T12:00:00.0015+00:00"}]"""
FILL = (
    f"""
    INSERT INTO processing_request (id, function, status, event, attempt, max_attempts, on_lost, queue, created_at,
        available_at, started_at, finished_at, worker)
    SELECT gen_random_uuid(), 'f', 'completed', '{{}}', 1, 1, 'rerun', 'default', now(), now(), now(), now(), 'w'
    FROM generate_series(1, {FINISHED})
    """,
    """
    INSERT INTO processing_request (id, function, status, event, attempt, max_attempts, on_lost, queue, created_at,
        available_at, started_at, lease_expires_at, worker)
    SELECT gen_random_uuid(), 'f', 'processing', '{}', 2, 3, 'rerun', 'default', now(), now(), now(), now(), 'w'
    """,
    f"""
    INSERT INTO request_attempt (request_id, number, outcome, worker, started_at, finished_at, phases, current_lines)
    SELECT id, number, CASE WHEN finished_at IS NOT NULL OR number < attempt THEN 'completed' END, 'w', now(),
        CASE WHEN finished_at IS NOT NULL OR number < attempt THEN now() END,
        '{PHASES}', '[["2026-01-01T12:00:00+00:00", "stdout", "no end yet"]]'
    FROM processing_request, generate_series(1, attempt) AS number
    """,
    """
    INSERT INTO processing_result (request_id, attempt, data, created_at)
    SELECT id, 1, '{"n": 1.50}', now() FROM processing_request WHERE status = 'completed'
    """,
    "CREATE ROLE reports",
    "GRANT SELECT ON request_attempt, processing_result TO reports",
)
FILES = "SELECT relname, relfilenode FROM pg_class WHERE relname LIKE ANY(:names)"
NAMES = ["processing_request", "pk_%", "ix_processing_request%", "%_attempt", "%_result", "request_log"]


@pytest.fixture
def old_engine(empty_database_url: str) -> Iterator[Engine]:
    """Yield an engine on a database of version 0.2 with finished requests and a running one."""
    engine = make_engine(empty_database_url)
    migrate(engine, "0016")
    try:
        with engine.begin() as connection:
            for statement in FILL:
                connection.execute(text(statement))
        yield engine
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY reports; DROP ROLE reports"))
        engine.dispose()


def migrate(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), revision)


def rows(engine: Engine, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


ATTEMPTS = """
    SELECT request_id, number, outcome, worker, started_at, finished_at, phases::jsonb::text
    FROM request_attempt ORDER BY 1, 2
    """
RESULTS = "SELECT request_id, attempt, data::text, created_at FROM processing_result ORDER BY 1"


def test_old_rows_are_shown_as_before_and_are_not_rewritten(old_engine: Engine) -> None:
    attempts, results = rows(old_engine, ATTEMPTS), rows(old_engine, RESULTS)
    files = {number for _, number in rows(old_engine, FILES, names=NAMES)}
    migrate(old_engine, "0017")

    assert len(attempts) == FINISHED + 2
    assert rows(old_engine, ATTEMPTS) == attempts
    assert rows(old_engine, RESULTS) == results
    assert {number for _, number in rows(old_engine, FILES, names=NAMES)} <= files | {0}, "nothing is copied or built"
    migrate(old_engine, "head")
    with old_engine.connect() as connection:
        assert differences(connection) == []
        connection.execute(text("SET ROLE reports"))
        assert connection.execute(text("SELECT count(*) FROM request_attempt")).scalar_one() == FINISHED + 2
        assert connection.execute(text("SELECT count(*) FROM processing_result")).scalar_one() == FINISHED


def test_a_request_that_was_processing_goes_on(old_engine: Engine) -> None:
    ((running,),) = rows(old_engine, "SELECT id FROM processing_request WHERE status = 'processing'")
    migrate(old_engine, "0017")
    before, last = queries.list_attempts(old_engine, running)
    assert (before["outcome"], last["outcome"], last["phases"][0]["duration_ms"]) == ("completed", None, 1.5)
    assert [line.line for line in queries.list_log_lines(old_engine, running, None, (0, 0))[1]] == ["no end yet"]

    ((now,),) = rows(old_engine, "SELECT now() + interval '1 s'")
    (lost,) = lifecycle.expire_leases(old_engine, now)
    assert lost.record.phases[0].phase == "validate"
    (claim,) = lifecycle.claim(old_engine, [running], "w", now, LEASE_S)
    assert [row["outcome"] for row in queries.list_attempts(old_engine, running)] == ["completed", "lost", None]
    assert claim.attempt == 3


def test_the_way_back_keeps_attempts_and_results(old_engine: Engine) -> None:
    attempts, results = rows(old_engine, ATTEMPTS), rows(old_engine, RESULTS)
    migrate(old_engine, "0017")
    with old_engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0016")
    assert rows(old_engine, ATTEMPTS) == attempts
    assert rows(old_engine, RESULTS) == results
