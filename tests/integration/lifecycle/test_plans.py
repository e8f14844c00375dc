"""Find requests by their ids, whatever PostgreSQL knows about the table: other plans read all that run, or did run."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from schema.engine import INDEX_SCANS_ONLY
from workqueue.lifecycle.claim import CLAIM, RELEASE
from workqueue.lifecycle.completion import FINISH, FINISH_WITH_OUTPUT, RECORD_CLEANUP
from workqueue.lifecycle.extension import EXTEND
from workqueue.lifecycle.failure import FAIL, GIVE_BACK
from workqueue.lifecycle.missing_bells import MARK_RUNG

STATEMENTS = {
    "claim": CLAIM,
    "release": RELEASE,
    "extend": EXTEND,
    "finish": FINISH,
    "finish with output": FINISH_WITH_OUTPUT,
    "record cleanup": RECORD_CLEANUP,
    "fail": FAIL,
    "give back": GIVE_BACK,
    "mark rung": MARK_RUNG,
}
FILL = """
    INSERT INTO processing_request (id, function, status, event, max_attempts, on_lost, queue, created_at,
                                    available_at, finished_at, worker, lease_expires_at)
    SELECT gen_random_uuid(), 'f', :status, '1', 1, 'rerun', 'default', now(), now(),
           CASE :status WHEN 'completed' THEN now() END, CASE :status WHEN 'processing' THEN 'w' END,
           CASE :status WHEN 'processing' THEN now() END
    FROM generate_series(1, 5000)
"""
DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # it numbers the parameters as PREPARE needs them


@pytest.fixture(params=["unknown", "empty", "pending", "processing", "completed"])
def connection(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Yield a connection to a database that has, or believes to have, requests of one status only."""
    with engine.connect() as opened:
        opened.exec_driver_sql(INDEX_SCANS_ONLY)
        if request.param not in ("unknown", "empty"):
            opened.execute(text(FILL), {"status": request.param})
        if request.param != "unknown":
            opened.execute(text("ANALYZE processing_request"))
        yield opened


def plan(connection: Connection, statement: TextClause) -> dict[str, Any]:
    """Return PostgreSQL's plan for any values."""
    compiled = statement.compile(dialect=DIALECT)
    connection.exec_driver_sql(f"PREPARE planned AS {compiled}")
    values = ", ".join(["NULL"] * len(compiled.positiontup or ()))
    (found,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) EXECUTE planned ({values})").scalar_one()
    connection.exec_driver_sql("DEALLOCATE planned")
    return dict(found["Plan"])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_write_of_a_worker_finds_requests_by_their_ids(connection: Connection, name: str) -> None:
    found = list(nodes(plan(connection, STATEMENTS[name])))
    reads = [
        node for node in found if node.get("Relation Name") == "processing_request" and "Scan" in node["Node Type"]
    ]
    assert reads, found
    for node in reads:
        assert re.search(r"\bid = ", node.get("Index Cond", "")), json.dumps(node, indent=1)
