"""Keep the cost of the pages' queries independent of table sizes: none scans a table from end to end."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from sqlalchemy import Connection, Engine, text

from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.lifecycle import client_actions, recovery
from workqueue.stats import minute_rollup, queue_depth
from workqueue.stats.overview import Overview
from workqueue.transport.doorbell import Doorbell

ROWS, WAITING = 60_000, 30_000
FILL = text(
    """
    INSERT INTO processing_request (id, function, status, event, max_attempts, on_lost, queue, created_at, available_at,
        rung_at, started_at, finished_at)
    SELECT gen_random_uuid(), 'f' || n % 5, CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'completed' END, '{}', 1, 'rerun',
        'default', ended, ended - interval '2 s', NULL, ended - interval '1 s', ended
    FROM generate_series(1, :rows) AS n, LATERAL (SELECT now() - n * interval '2 s' AS ended) AS e
    """
)
WAIT = text(
    """
    INSERT INTO processing_request (id, function, status, event, max_attempts, on_lost, queue, created_at, available_at,
        rung_at)
    SELECT gen_random_uuid(), 'f1', 'pending', '{}', 1, 'rerun', 'low', now(), now(), now()
    FROM generate_series(1, :rows)
    """
)


@pytest.fixture
def full_engine(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(FILL, {"rows": ROWS})
        connection.execute(WAIT, {"rows": WAITING})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE processing_request"))
    return engine


def scans(connection: Connection, statement: str, values: dict[str, object]) -> list[tuple[str, int]]:
    """Return how a query reads the table of requests, and the rows that each scan returns."""
    plan = connection.execute(text("EXPLAIN (ANALYZE, FORMAT JSON) " + statement), values).scalar_one()
    found: list[tuple[str, int]] = []

    def walk(node: dict[str, object]) -> None:
        if node.get("Relation Name") == "processing_request":
            rows = node["Actual Rows"]
            assert isinstance(rows, int | float)
            found.append((str(node["Node Type"]), int(rows)))
        for child in node.get("Plans", []):  # type: ignore[attr-defined]
            walk(child)

    walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    assert found
    return found


def test_a_minute_is_counted_through_the_index_of_end_times(full_engine: Engine) -> None:
    now = datetime.now(UTC)
    with full_engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        values: dict[str, object] = {"since": now - timedelta(minutes=10), "until": now}
        for kind, rows in scans(connection, minute_rollup.COUNT_ENDED.text, values):
            assert kind in ("Index Scan", "Bitmap Heap Scan")
            assert rows <= 310


def test_pending_requests_are_counted_up_to_a_limit(full_engine: Engine) -> None:
    with full_engine.connect() as connection:
        queue_depth.force_index_scans(connection)
        values: dict[str, object] = {"now": datetime.now(UTC) + timedelta(days=1), "most": queue_depth.MAX_COUNTED}
        for kind, rows in scans(connection, queue_depth.COUNT_WAITING.text, values):
            assert kind in ("Index Scan", "Index Only Scan")
            assert rows <= queue_depth.MAX_COUNTED
        for kind, rows in scans(connection, queue_depth.COUNT_BY_FUNCTION.text, {"most": queue_depth.MAX_COUNTED}):
            assert kind in ("Index Scan", "Index Only Scan")
            assert rows <= queue_depth.MAX_COUNTED


def test_a_queue_is_emptied_in_chunks_without_a_full_scan(full_engine: Engine) -> None:
    with full_engine.begin() as connection:
        values: dict[str, object] = {"queue": "low", "now": datetime.now(UTC), "message": "", "chunk": 1000}
        found = scans(connection, client_actions.CANCEL_PENDING.text, values)
        connection.rollback()
    assert max(rows for _, rows in found) <= 1000
    assert len(lifecycle.cancel_pending_in_queue(full_engine, "low", datetime.now(UTC))) == 1000


def test_lines_of_a_lost_worker_are_stored_by_key(full_engine: Engine) -> None:
    with full_engine.begin() as connection:
        request_id = connection.execute(text("SELECT id FROM processing_request LIMIT 1")).scalar_one()
        lines = [{"request_id": str(request_id), "attempt": 1, "number": 1, "time": "now", "stream": "s", "line": "x"}]
        values: dict[str, object] = {"lines": json.dumps(lines), "worker": "w"}
        found = scans(connection, recovery.STORE_LOST_LINES.text, values)
        connection.rollback()
    assert max(rows for _, rows in found) == 1


def test_a_day_is_counted_once_and_then_read(full_engine: Engine, redis_client: Redis) -> None:
    clock = Clock()
    clock.synchronise(full_engine)
    now = clock.now()
    for _ in range(100):
        minute_rollup.roll_up(full_engine, now)
        with full_engine.connect() as connection:
            if minute_rollup.stored_until(connection) == minute_rollup.floor_to_minute(
                now - minute_rollup.COMMIT_DELAY
            ):
                break
    with full_engine.begin() as connection:
        day = connection.execute(text("SELECT sum(completed + failed) FROM minute_tally")).scalar_one()
        # Stored minutes remain, and are not counted again from rows that were deleted.
        connection.execute(text("DELETE FROM processing_request WHERE finished_at < now() - interval '1 hour'"))

    snapshot = Overview(full_engine, Doorbell(redis_client), clock, ("high", "default", "low")).snapshot()
    assert 43_000 <= day <= 43_200  # One every two seconds.
    counted = sum(each.completed + each.failed for each in snapshot.hours)
    # The day may have advanced by a minute meanwhile, which is thirty requests.
    assert day - 30 <= counted <= day + 100
    low = next(queue for queue in snapshot.queues if queue.name == "low")
    assert (low.depth.due, low.depth.is_capped) == (
        queue_depth.MAX_COUNTED,
        True,
    )  # Redis has no bells of these requests.
    assert low.depth.oldest is not None
