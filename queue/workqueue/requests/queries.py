"""Read requests with their attempts, files, results and log lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Engine,
    ScalarSelect,
    Select,
    Table,
    Text,
    bindparam,
    case,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from schema.engine import autocommit
from schema.statuses import Status
from schema.tables.requests import input_file, output_file, processing_request, request_log
from schema.tables.views import processing_result, request_attempt
from workqueue.errors import NotAllowedNowError, UnknownRequestError
from workqueue.event_json import JsonText

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class RequestFile:
    """Hold the row of a file of a request. kind: "input" or "output"."""

    kind: str
    name: str
    filename: str
    size: int
    content_type: str
    sha256: str
    stored_as: str
    created_at: str = ""  # text as PostgreSQL formats it: some of its times have no datetime


MAX_INLINE_BYTES = 64 * 1024  # of a JSON text that is read with its row; a larger one is read by itself
ID: BindParameter[UUID] = bindparam("id")


def inline_columns(
    column: Column[Any], name: str, limit: int = MAX_INLINE_BYTES
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return two columns: a JSON value's text, null if it is large, and its size in bytes, null without a value."""
    text = cast(column, Text)
    size = func.octet_length(text)
    return case((size <= limit, text)).label(name), size.label(f"{name}_bytes")


def with_json_texts(row: Mapping[Any, Any], *names: str) -> dict[str, Any]:
    """Return a row whose columns of these names are JsonText, None if the text is large or missing."""
    return {str(name): value for name, value in row.items()} | {
        name: None if row[name] is None else JsonText(row[name].encode()) for name in names
    }


def _files(kind: str, table: Table) -> ScalarSelect[Any]:
    """Select the files of a request as a JSON array, which saves a query; null without files."""
    file = table.c
    pairs = {
        name: file[name] for name in ("name", "filename", "size", "content_type", "sha256", "stored_as", "created_at")
    }
    file_object = func.json_build_object(*chain.from_iterable((pairs | {"kind": kind}).items()))
    files = func.json_agg(aggregate_order_by(file_object, file.name))
    return select(files).where(file.request_id == ID).scalar_subquery()


# Built once: to build a statement costs more than to run it.
FILES = (_files("input", input_file).label("inputs"), _files("output", output_file).label("outputs"))
OF_ATTEMPT = {"outcome", "phases", "cold_start", "init_ms", "max_rss_mb", "traceback", "current_lines"}
SHOWN_COLUMNS = tuple(column for column in processing_request.c if column.name not in {"event", "result", *OF_ATTEMPT})
EVENT = inline_columns(processing_request.c.event, "event")
REQUEST = select(*SHOWN_COLUMNS, *EVENT, *FILES).where(processing_request.c.id == ID)
OUTCOME = (
    select(*SHOWN_COLUMNS, *EVENT, *inline_columns(processing_result.c.data, "result"), *FILES)
    .outerjoin(processing_result, processing_result.c.request_id == processing_request.c.id)
    .where(processing_request.c.id == ID)
)
FUNCTION = select(processing_request.c.function).where(processing_request.c.id == ID)
STATUS = select(processing_request.c.status, processing_request.c.attempt).where(processing_request.c.id == ID)
RESULT = select(
    processing_result.c.request_id,
    processing_result.c.created_at,
    *inline_columns(processing_result.c.data, "data"),
    FILES[1],
).where(processing_result.c.request_id == ID)
LARGE = {
    "event": select(cast(processing_request.c.event, Text)).where(processing_request.c.id == ID),
    "result": select(cast(processing_result.c.data, Text)).where(processing_result.c.request_id == ID),
}


def find_request(engine: Engine, request_id: UUID) -> tuple[Row, list[RequestFile]]:
    """Return a request's row and files. `event` is a JsonText, None if it is large. Raises UnknownRequestError."""
    row = _one(engine, REQUEST, request_id)
    return with_json_texts(row, "event"), _request_files(row, "inputs", "outputs")


def find_request_with_result(engine: Engine, request_id: UUID) -> tuple[Row, list[RequestFile]]:
    """Return row and files with the `result` too, as a JsonText. Raises UnknownRequestError."""
    row = _one(engine, OUTCOME, request_id)
    return with_json_texts(row, "event", "result"), _request_files(row, "inputs", "outputs")


def read_large_text(engine: Engine, what: str, request_id: UUID) -> JsonText:
    """Return the "event" or the "result" of a request, of any size. Raises UnknownRequestError."""
    with autocommit(engine) as connection:
        json_text = connection.execute(LARGE[what], {"id": request_id}).scalar_one_or_none()
    if json_text is None:
        raise unknown_request(request_id)
    return JsonText(json_text.encode())


def find_status(engine: Engine, request_id: UUID) -> tuple[Status, int]:
    """Return status and attempt, which a waiting client watches. Raises UnknownRequestError."""
    row = _one(engine, STATUS, request_id)
    return Status(row["status"]), row["attempt"]


def find_function_name(engine: Engine, request_id: UUID) -> str:
    """Return the name of a request's function. Raises UnknownRequestError."""
    return str(_one(engine, FUNCTION, request_id)["function"])


def find_result(engine: Engine, request_id: UUID) -> tuple[Row, list[RequestFile]]:
    """Return the result's row and the output files. Raises UnknownRequestError; NotAllowedNowError without a result."""
    with autocommit(engine) as connection:
        row = connection.execute(RESULT, {"id": request_id}).mappings().one_or_none()
    if row is None:
        now, _ = find_status(engine, request_id)
        raise NotAllowedNowError(f"The request has no result: it is {now}.")
    return with_json_texts(row, "data"), _request_files(row, "outputs")


def _one(engine: Engine, statement: Select[Any], request_id: UUID) -> Row:
    with autocommit(engine) as connection:
        row = connection.execute(statement, {"id": request_id}).mappings().one_or_none()
    if row is None:
        raise unknown_request(request_id)
    return row


def _request_files(row: Row, *columns: str) -> list[RequestFile]:
    return [RequestFile(**file) for column in columns for file in row[column] or ()]


def unknown_request(request_id: UUID) -> UnknownRequestError:
    """Return the error for a missing request, and for a request that the caller may not see: both look the same."""
    return UnknownRequestError(f"There is no request {request_id}.")


def list_attempts(engine: Engine, request_id: UUID) -> Sequence[Row]:
    """Return the attempts, first to last. Raises UnknownRequestError."""
    columns = request_attempt.c
    with autocommit(engine) as connection:
        statement = select(request_attempt).where(columns.request_id == request_id).order_by(columns.number)
        rows = connection.execute(statement).mappings().all()
    if not rows:
        find_status(engine, request_id)
    return rows


@dataclass(frozen=True, slots=True)
class CurrentLine:
    """Hold an incomplete line of output, as of the last extension of the lease."""

    time: datetime
    attempt: int
    stream: str
    line: str


CURRENT_LINES = text(
    """
    SELECT number, current_lines FROM request_attempt
    WHERE request_id = :id AND outcome IS NULL AND current_lines IS NOT NULL AND number = coalesce(:attempt, number)
    """
)


MAX_PAGE_BYTES = 4 * 1024 * 1024  # of a page of log lines, which ends with the line that reaches this size
LINE_OVERHEAD_BYTES = 40  # time, attempt and stream of a line


def list_log_lines(
    engine: Engine,
    request_id: UUID,
    attempt: int | None,
    after: tuple[int, int],
    *,
    limit: int = 100_000,
    limit_bytes: int = MAX_PAGE_BYTES,
) -> tuple[Sequence[Row], list[CurrentLine]]:
    """Return log lines after (attempt, number), in order, and the incomplete lines of a running attempt.

    Incomplete lines come only with the last page. A page has at least one line if one follows, also a line that is
    larger than `limit_bytes`. Raises UnknownRequestError.
    """
    columns = request_log.c
    place = func.row(columns.attempt, columns.number)
    statement = (
        select(request_log)
        .where(columns.request_id == request_id, place > func.row(*after))
        .order_by(columns.attempt, columns.number)
        .limit(limit)
    )
    if attempt is not None:
        statement = statement.where(columns.attempt == attempt)
    with autocommit(engine) as connection:
        # First the incomplete lines: a line that is completed in between is then returned twice, and never lost.
        running = connection.execute(CURRENT_LINES, {"id": request_id, "attempt": attempt}).one_or_none()
        rows = connection.execute(_within(statement, limit_bytes)).mappings().all()
    if not rows:
        find_status(engine, request_id)
    if running is None or len(rows) == limit or (rows and rows[-1]["size"] >= limit_bytes):
        return rows, []
    return rows, [CurrentLine(datetime.fromisoformat(t), running.number, *rest) for t, *rest in running.current_lines]


def _within(lines: Select[Any], limit_bytes: int) -> Select[Any]:
    """Select lines until their bytes reach the limit. Column size: bytes of a line and of all lines before it."""
    line = lines.subquery().c
    own = func.octet_length(line.line) + LINE_OVERHEAD_BYTES
    place = line.attempt, line.number
    sized = select(*line, own.label("own"), func.sum(own).over(order_by=place).label("size")).subquery().c
    return select(*sized).where(sized.size - sized.own < limit_bytes).order_by(sized.attempt, sized.number)
