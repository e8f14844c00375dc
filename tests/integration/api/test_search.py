"""Search by text or queue: each page is bounded in time, and all pages together miss nothing."""

from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from workqueue.requests import search
from workqueue.requests.search import Filter

ROWS = 7_000
# Ids that sort by their number, as ids of requests sort by time. Each fifth row belongs to another function.
FILL = text(
    """
    INSERT INTO processing_request (id, function, status, event, max_attempts, on_lost, queue, created_at, available_at)
    SELECT CAST(lpad(to_hex(n), 32, '0') AS uuid), CASE WHEN n % 5 = 0 THEN 'fifth' ELSE 'other' END, 'pending',
        json_build_object('n', 'number ' || n || '.'), 1, 'rerun',
        CASE WHEN n % 7 = 0 THEN 'low' ELSE 'default' END, now(), now()
    FROM generate_series(1, :rows) AS n
    """
)


@pytest.fixture
def filled_engine(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(FILL, {"rows": ROWS})
    return engine


def all_pages(engine: Engine, wanted: Filter) -> tuple[list[int], int]:
    """Return the numbers found on all pages, and the number of pages."""
    found: list[int] = []
    cursor: UUID | None = None
    for pages in range(1, 1000):
        rows, cursor = search.list_page(
            engine, Filter(text=wanted.text, function=wanted.function, limit=wanted.limit, before=cursor)
        )
        found += [row["id"].int for row in rows]
        if cursor is None:
            return found, pages
    raise AssertionError("the pages have no end")


def numbers(words: str, step: int = 1) -> list[int]:
    return [n for n in range(ROWS, 0, -1) if words in f"number {n}." and n % step == 0]


@pytest.mark.parametrize("words", ["number 7", "99.", "number 1.", "number 7000.", "no such text", "NUMBER 6999"])
def test_all_matches_are_found_once_newest_first(filled_engine: Engine, words: str) -> None:
    for limit in (1, 7, 500):
        if limit > 1 or len(numbers(words.lower())) < 100:
            assert all_pages(filled_engine, Filter(text=words, limit=limit))[0] == numbers(words.lower())
    assert all_pages(filled_engine, Filter(text=words, function="fifth"))[0] == numbers(words.lower(), 5)


def test_a_page_that_exceeds_its_time_returns_its_matches_and_a_cursor(
    filled_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_SEARCH_S", 0.0)
    rows, cursor = search.list_page(filled_engine, Filter(text="number 1."))
    assert (rows, cursor) == ([], UUID(int=ROWS - search.FIRST_RANGE + 1))
    found, pages = all_pages(filled_engine, Filter(text="number 1."))
    assert (found, pages) == ([1], ROWS // search.FIRST_RANGE)
    assert all_pages(filled_engine, Filter(text="99.", limit=3))[0] == numbers("99.")


def test_a_page_of_large_events_is_short_and_has_a_cursor(
    filled_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_PAGE_BYTES", 1000)
    rows, cursor = search.list_page(filled_engine, Filter(limit=500))
    sizes = [row["event_bytes"] for row in rows]
    assert sum(sizes[:-1]) <= 1000 < sum(sizes)
    assert cursor == rows[-1]["id"]
    following, _ = search.list_page(filled_engine, Filter(limit=500, before=cursor))
    ids = [row["id"].int for row in (*rows, *following)]
    assert ids == list(range(ROWS, ROWS - len(ids), -1))
    found, _ = search.list_page(filled_engine, Filter(limit=500, text="number"))
    assert [row["id"] for row in found] == [row["id"] for row in rows]


def test_events_too_large_for_the_page_follow_on_the_next_pages(
    filled_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = search.list_page(filled_engine, Filter(limit=20))
    monkeypatch.setattr(search, "CHUNK_BYTES", 100)
    large = [row | {"event": None} for row in rows]
    assert dict(search.read_large_events(filled_engine, large)) == {row["id"]: row["event"] for row in rows}
    assert list(search.read_large_events(filled_engine, rows)) == []


def test_the_search_of_an_unused_queue_ends_in_time(filled_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_SEARCH_S", 0.0)
    rows, cursor = search.list_page(filled_engine, Filter(queue="high"))
    assert (rows, cursor) == ([], UUID(int=ROWS - search.FIRST_RANGE + 1))


def test_a_queue_filters_the_list_and_a_search(filled_engine: Engine) -> None:
    rows, cursor = search.list_page(filled_engine, Filter(queue="low", limit=3))
    assert [row["id"].int for row in rows] == [7000, 6993, 6986]
    assert cursor == UUID(int=6986)
    rows, _ = search.list_page(filled_engine, Filter(queue="low", text="99.", limit=2))
    assert [row["id"].int for row in rows] == numbers("99.", 7)[:2]
