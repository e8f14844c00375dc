"""Whatever is stored can be read back: by every list, page and metric."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from schema.session import make_engine
from tests.runtime import Runtime

LISTS = ("/api/requests", "/api/schedules", "/api/functions", "/api/stats", "/api/workers", "/api/queues", "/metrics")
ENDED = text(
    """
    INSERT INTO processing_request (id, function, status, event, attempt, max_attempts, on_lost, queue, created_at,
        available_at, started_at, finished_at)
    VALUES (:id, 'echo', 'failed', CAST(:event AS json), 1, 1, 'rerun', 'default', :time, :time, :time, :time)
    """
)


@pytest.fixture
def by_hand(runtime: Runtime, request: pytest.FixtureRequest) -> Iterator[UUID]:
    """Store a request by plain SQL, with a time and an event that no client could send."""
    engine = make_engine(runtime.database_url, pool_size=1)
    id, (time, event) = uuid7(), request.param
    with engine.begin() as connection:
        connection.execute(ENDED, {"id": id, "time": time, "event": event})
    yield id
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM processing_request WHERE id = :id"), {"id": id})
    engine.dispose()


@pytest.mark.parametrize(
    "by_hand",
    [("infinity", "1"), ("-infinity", "1"), ("9999-12-31T23:59:59-14:59", "1"), ("0044-03-15 BC", "1")],
    indirect=True,
)
def test_a_row_that_sql_wrote_takes_no_list_with_it(runtime: Runtime, by_hand: UUID) -> None:
    for path in LISTS:
        assert runtime.http.get(path).status_code == 200, path
    found = runtime.get(f"/api/requests/{by_hand}")
    assert found["created_at"] in ("9999-12-30T00:00:00.000Z", "0001-01-02T00:00:00.000Z")
    assert str(by_hand) in [item["id"] for item in runtime.get("/api/requests?limit=500")["items"]]
