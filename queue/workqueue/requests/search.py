"""Lists requests, newest first, in keyset pages; one that no index helps to find costs no more than about a second."""

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

# An id is made before its upload has arrived, by the clock of a web machine; created_at after it, by the database's.
CLOCKS_S = 3600.0

# So many rows are read at once, and no more of them once their events have so many bytes: a page is made in memory.
# Larger events are read when the page is known, so many bytes at a time.
AT_ONCE, ENOUGH_BYTES = 64, 8 * 1024 * 1024
INLINE_BYTES, CHUNK_BYTES = 2 * 1024, 1024 * 1024
EVENT = queries.inline_columns(COLUMNS.event, "event", INLINE_BYTES)

# No index knows the middle of a text, or a queue (most requests are in one; it would cost each write, and help with the
# empty ones). So each row is looked at: so many at first, and more while they are small.
SEARCH_S = 1.0
FIRST_STRETCH, LONGEST_STRETCH = 500, 32_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which requests to list. text: found in id, function, error or event. before: a keyset cursor.

    cancelled: only cancelled requests, or only others.
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


def list_page(engine: Engine, wanted: Filter) -> tuple[list[Row], UUID | None]:
    """Requests, newest first, and the cursor of the next page, None on the last.

    A page may hold fewer than asked for and still not be the last: of large events it holds few, and of a text or a
    queue as many as there was time to find. `event` is a JsonText, None if it is large: `large_events` reads those.
    """
    with autocommit(engine) as connection:
        sought = _sought(wanted)
        rows, cursor = _search(connection, wanted, sought) if sought else _page(connection, wanted)
    size = 0
    for place, row in enumerate(rows):
        size += row["event_bytes"]
        if size > ENOUGH_BYTES:
            return [queries.with_json_texts(row, "event") for row in rows[: place + 1]], row["id"]
    return [queries.with_json_texts(row, "event") for row in rows], cursor


def read_large_events(engine: Engine, rows: Sequence[Row]) -> Iterator[tuple[UUID, JsonText]]:
    """Read the events that are too large to be in these rows. A request that was deleted since has none."""
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


def _page(connection: Connection, wanted: Filter) -> tuple[list[Row], UUID | None]:
    found: list[Row] = []
    before = wanted.before
    while True:
        asked = min(AT_ONCE, wanted.limit + 1 - len(found))
        rows = _rows(connection, wanted, asked, before)
        found += rows
        if len(rows) < asked or len(found) > wanted.limit:
            return _cut(found, wanted.limit, None)
        before = found[-1]["id"]
        if sum(row["event_bytes"] for row in found) > ENOUGH_BYTES:
            return found, before


def _search(
    connection: Connection, wanted: Filter, sought: Sequence[ColumnElement[bool]]
) -> tuple[list[Row], UUID | None]:
    """Stretch by stretch, each twice as long as the one before, until the page is full or the time is over."""
    found: list[Row] = []
    ends_at, before, length = time.monotonic() + SEARCH_S, wanted.before, FIRST_STRETCH
    while True:
        oldest = _end_of_stretch(connection, wanted, before, length)
        within = [*sought, *([COLUMNS.id >= oldest] if oldest else [])]
        found += _rows(connection, wanted, wanted.limit + 1 - len(found), before, *within)
        if oldest is None or len(found) > wanted.limit or time.monotonic() >= ends_at:
            return _cut(found, wanted.limit, oldest)
        before, length = oldest, min(2 * length, LONGEST_STRETCH)


def _cut(rows: list[Row], limit: int, reached: UUID | None) -> tuple[list[Row], UUID | None]:
    """The page of these rows. reached: where the next one begins when all of them are on this one."""
    kept = rows[:limit]
    return kept, kept[-1]["id"] if len(rows) > limit else reached


def _end_of_stretch(connection: Connection, wanted: Filter, before: UUID | None, length: int) -> UUID | None:
    """The id of the last of the next so many requests; None when there are no more than that."""
    statement = _narrowed(select(COLUMNS.id), wanted, before).order_by(COLUMNS.id.desc()).offset(length - 1).limit(2)
    ids: Sequence[UUID] = connection.execute(statement).scalars().all()
    return ids[0] if len(ids) > 1 else None


def _rows(
    connection: Connection, wanted: Filter, limit: int, before: UUID | None = None, *more: ColumnElement[bool]
) -> list[Row]:
    statement = _narrowed(select(*queries.BESIDE_EVENT, *EVENT), wanted, before or wanted.before).where(*more)
    return [dict(row) for row in connection.execute(statement.order_by(COLUMNS.id.desc()).limit(limit)).mappings()]


def _narrowed(statement: Select[Any], wanted: Filter, before: UUID | None) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = [
        column == value
        for column, value in (
            (COLUMNS.status, wanted.status),
            (COLUMNS.function, wanted.function),
            (COLUMNS.schedule, wanted.schedule),
        )
        if value is not None
    ]
    if wanted.cancelled is not None:
        conditions.append(literal_column(IS_CANCELLED if wanted.cancelled else f"NOT {IS_CANCELLED}"))
    if wanted.since is not None:
        conditions += [COLUMNS.created_at >= wanted.since, COLUMNS.id >= first_id(wanted.since, -CLOCKS_S)]
    if wanted.until is not None:
        conditions += [COLUMNS.created_at < wanted.until, COLUMNS.id < first_id(wanted.until, CLOCKS_S)]
    if before is not None:
        conditions.append(COLUMNS.id < before)
    return statement.where(*conditions)


def _sought(wanted: Filter) -> list[ColumnElement[bool]]:
    """What no index knows."""
    conditions = [_holds(wanted.text)] if wanted.text else []
    return conditions + ([COLUMNS.queue == wanted.queue] if wanted.queue is not None else [])


def _holds(words: str) -> ColumnElement[bool]:
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", words) + "%"
    searched = (COLUMNS.function, COLUMNS.error_type, COLUMNS.error_message, cast(COLUMNS.id, String))
    return or_(*(column.ilike(pattern) for column in searched), cast(COLUMNS.event, Text).ilike(pattern))
