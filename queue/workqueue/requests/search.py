"""List requests in keyset pages, newest first. A search that no index supports takes at most about a second."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    String,
    Text,
    cast,
    literal_column,
    or_,
    select,
)

from schema.engine import autocommit
from schema.statuses import IS_CANCELLED, Status
from schema.tables.requests import processing_request
from workqueue.event_json import JsonText
from workqueue.ids import first_id
from workqueue.requests import queries

Row = dict[str, Any]
COLUMNS = processing_request.c

# The id is created before the upload has arrived, by the clock of a web machine; created_at after it, by PostgreSQL's.
MAX_CLOCK_SKEW_S = 3600.0

# A page is built in memory: rows are read in chunks, until their events have MAX_PAGE_BYTES. Events larger than
# MAX_INLINE_BYTES are read after the page has been selected, in chunks of bytes.
CHUNK_ROWS, MAX_PAGE_BYTES = 64, 8 * 1024 * 1024
MAX_INLINE_BYTES, CHUNK_BYTES = 2 * 1024, 1024 * 1024
EVENT = queries.inline_columns(COLUMNS.event, "event", MAX_INLINE_BYTES)

# No index finds the middle of a text, or a queue: an index of queues would cost every write, and help only with queues
# that are almost empty. So a search scans ranges of rows, each twice as long as the one before.
MAX_SEARCH_S = 1.0
FIRST_RANGE, MAX_RANGE = 500, 32_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Select requests by field. text: part of id, function, error or event. before: a keyset cursor.

    cancelled: True for only cancelled requests, False for only others.
    """

    status: Status | None = None
    cancelled: bool | None = None
    function: str | None = None
    schedule: str | None = None
    queue: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    before: UUID | None = None
    limit: int = 50


def list_page(engine: Engine, filter: Filter) -> tuple[list[Row], UUID | None]:
    """Return requests, newest first, and the cursor of the next page; None on the last page.

    A page may hold fewer than `limit` and not be the last: large events fill it early, and a search by text or queue
    ends after MAX_SEARCH_S. `event` is a JsonText, None if it is large: `read_large_events` reads those.
    """
    with autocommit(engine) as connection:
        unindexed = _unindexed_conditions(filter)
        rows, cursor = _search(connection, filter, unindexed) if unindexed else _read_page(connection, filter)
    size = 0
    for index, row in enumerate(rows):
        size += row["event_bytes"]
        if size > MAX_PAGE_BYTES:
            return [queries.with_json_texts(row, "event") for row in rows[: index + 1]], row["id"]
    return [queries.with_json_texts(row, "event") for row in rows], cursor


def read_large_events(engine: Engine, rows: Sequence[Row]) -> Iterator[tuple[UUID, JsonText]]:
    """Read the events that are too large to be in these rows, except those of requests deleted since."""
    ids: list[UUID] = []
    size = 0
    for row in rows:
        if row["event"] is None:
            ids.append(row["id"])
            size += row["event_bytes"]
        if ids and (size >= CHUNK_BYTES or row is rows[-1]):
            yield from _events(engine, ids)
            ids, size = [], 0


def _events(engine: Engine, ids: Sequence[UUID]) -> list[tuple[UUID, JsonText]]:
    statement = select(COLUMNS.id, cast(COLUMNS.event, Text)).where(COLUMNS.id.in_(ids))
    with autocommit(engine) as connection:
        return [(id, JsonText(text.encode())) for id, text in connection.execute(statement)]


def _read_page(connection: Connection, filter: Filter) -> tuple[list[Row], UUID | None]:
    page_rows: list[Row] = []
    before = filter.before
    while True:
        chunk = min(CHUNK_ROWS, filter.limit + 1 - len(page_rows))
        rows = _rows(connection, filter, chunk, before)
        page_rows += rows
        if len(rows) < chunk or len(page_rows) > filter.limit:
            return _page_and_cursor(page_rows, filter.limit, None)
        before = page_rows[-1]["id"]
        if sum(row["event_bytes"] for row in page_rows) > MAX_PAGE_BYTES:
            return page_rows, before


def _search(
    connection: Connection, filter: Filter, unindexed: Sequence[ColumnElement[bool]]
) -> tuple[list[Row], UUID | None]:
    """Scan range by range, each twice as long as the one before, until the page is full or the time is over."""
    page_rows: list[Row] = []
    ends_at, before, length = time.monotonic() + MAX_SEARCH_S, filter.before, FIRST_RANGE
    while True:
        range_end = _last_id_in_range(connection, filter, before, length)
        conditions = [*unindexed, *([COLUMNS.id >= range_end] if range_end else [])]
        page_rows += _rows(connection, filter, filter.limit + 1 - len(page_rows), before, *conditions)
        if range_end is None or len(page_rows) > filter.limit or time.monotonic() >= ends_at:
            return _page_and_cursor(page_rows, filter.limit, range_end)
        before, length = range_end, min(2 * length, MAX_RANGE)


def _page_and_cursor(rows: list[Row], limit: int, reached: UUID | None) -> tuple[list[Row], UUID | None]:
    """Return the page of these rows, and its cursor. reached: the cursor if all rows are on this page."""
    page = rows[:limit]
    return page, page[-1]["id"] if len(rows) > limit else reached


def _last_id_in_range(connection: Connection, filter: Filter, before: UUID | None, length: int) -> UUID | None:
    """Return the id of the last of the next `length` requests; None if the list ends before."""
    statement = (
        _apply_indexed(select(COLUMNS.id), filter, before).order_by(COLUMNS.id.desc()).offset(length - 1).limit(2)
    )
    ids: Sequence[UUID] = connection.execute(statement).scalars().all()
    return ids[0] if len(ids) > 1 else None


def _rows(
    connection: Connection, filter: Filter, limit: int, before: UUID | None = None, *conditions: ColumnElement[bool]
) -> list[Row]:
    statement = _apply_indexed(select(*queries.SHOWN_COLUMNS, *EVENT), filter, before or filter.before).where(
        *conditions
    )
    return [dict(row) for row in connection.execute(statement.order_by(COLUMNS.id.desc()).limit(limit)).mappings()]


def _apply_indexed(statement: Select[Any], filter: Filter, before: UUID | None) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (COLUMNS.status, filter.status),
            (COLUMNS.function, filter.function),
            (COLUMNS.schedule, filter.schedule),
        )
        if value is not None
    ]
    if filter.cancelled is not None:
        conditions.append(literal_column(IS_CANCELLED if filter.cancelled else f"NOT {IS_CANCELLED}"))
    if filter.since is not None:
        conditions += [COLUMNS.created_at >= filter.since, COLUMNS.id >= first_id(filter.since, -MAX_CLOCK_SKEW_S)]
    if filter.until is not None:
        conditions += [COLUMNS.created_at < filter.until, COLUMNS.id < first_id(filter.until, MAX_CLOCK_SKEW_S)]
    if before is not None:
        conditions.append(COLUMNS.id < before)
    return statement.where(*conditions)


def _unindexed_conditions(filter: Filter) -> list[ColumnElement[bool]]:
    """Return the conditions that no index supports."""
    conditions = [_contains_text(filter.text)] if filter.text else []
    return conditions + ([COLUMNS.queue == filter.queue] if filter.queue is not None else [])


def _contains_text(text: str) -> ColumnElement[bool]:
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
    searched = (COLUMNS.function, COLUMNS.error_type, COLUMNS.error_message, cast(COLUMNS.id, String))
    return or_(*(column.ilike(pattern) for column in searched), cast(COLUMNS.event, Text).ilike(pattern))
