"""Reads requests and what belongs to them; changes nothing."""

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
from schema.tables.requests import (
    input_file,
    output_file,
    processing_request,
    processing_result,
    request_attempt,
    request_log,
)
from workqueue.errors import NotAllowedNowError, UnknownRequestError
from workqueue.event_json import JsonText

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class RequestFile:
    """A file of a request. kind: "input" or "output"."""

    kind: str
    name: str
    filename: str
    size: int
    content_type: str
    sha256: str
    stored_as: str
    created_at: str = ""  # as PostgreSQL writes it: it stores times that Python cannot hold


INLINE_BYTES = 64 * 1024  # of a JSON text that is read with its row; a larger one is read when there is memory for it
ID: BindParameter[UUID] = bindparam("id")


def inline_columns(
    column: Column[Any], name: str, limit: int = INLINE_BYTES
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return two columns: a JSON value's text, null if it is large; and its size in bytes, null if there is none."""
    text = cast(column, Text)
    size = func.octet_length(text)
    return case((size <= limit, text)).label(name), size.label(f"{name}_bytes")


def with_json_texts(row: Mapping[Any, Any], *names: str) -> dict[str, Any]:
    """Return a row whose columns of these names are JsonText, None where the text is large or there is none."""
    return {str(name): value for name, value in row.items()} | {
        name: None if row[name] is None else JsonText(row[name].encode()) for name in names
    }


def _files(kind: str, table: Table) -> ScalarSelect[Any]:
    """A request's files of one kind as a JSON array, null without any: no trip of their own to the server."""
    file = table.c
    pairs = {
        name: file[name] for name in ("name", "filename", "size", "content_type", "sha256", "stored_as", "created_at")
    }
    told = func.json_build_object(*chain.from_iterable((pairs | {"kind": kind}).items()))
    return select(func.json_agg(aggregate_order_by(told, file.name))).where(file.request_id == ID).scalar_subquery()


# Made once: building a statement costs more than running it.
FILES = (_files("input", input_file).label("inputs"), _files("output", output_file).label("outputs"))
BESIDE_EVENT = tuple(column for column in processing_request.c if column.name != "event")
EVENT = inline_columns(processing_request.c.event, "event")
REQUEST = select(*BESIDE_EVENT, *EVENT, *FILES).where(processing_request.c.id == ID)
OUTCOME = (
    select(*BESIDE_EVENT, *EVENT, *inline_columns(processing_result.c.data, "result"), *FILES)
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
    return with_json_texts(row, "event"), _found(row, "inputs", "outputs")


def find_request_with_result(engine: Engine, request_id: UUID) -> tuple[Row, list[RequestFile]]:
    """Return the same with the data of its `result`, as a JsonText too. Raises UnknownRequestError."""
    row = _one(engine, OUTCOME, request_id)
    return with_json_texts(row, "event", "result"), _found(row, "inputs", "outputs")


def read_large_text(engine: Engine, what: str, request_id: UUID) -> JsonText:
    """Return the "event" or the "result" of a request, whatever its size. Raises UnknownRequestError."""
    with autocommit(engine) as connection:
        found = connection.execute(LARGE[what], {"id": request_id}).scalar_one_or_none()
    if found is None:
        raise unknown_request(request_id)
    return JsonText(found.encode())


def find_status(engine: Engine, request_id: UUID) -> tuple[Status, int]:
    """Status and attempt: what a waiting client watches. Raises UnknownRequestError."""
    row = _one(engine, STATUS, request_id)
    return Status(row["status"]), row["attempt"]


def find_function_name(engine: Engine, request_id: UUID) -> str:
    """Raises UnknownRequestError."""
    return str(_one(engine, FUNCTION, request_id)["function"])


def find_result(engine: Engine, request_id: UUID) -> tuple[Row, list[RequestFile]]:
    """The result's row and the output files. Raises UnknownRequestError, NotAllowedNowError while there is none."""
    with autocommit(engine) as connection:
        row = connection.execute(RESULT, {"id": request_id}).mappings().one_or_none()
    if row is None:
        now, _ = find_status(engine, request_id)
        raise NotAllowedNowError(f"The request has no result: it is {now}.")
    return with_json_texts(row, "data"), _found(row, "outputs")


def _one(engine: Engine, statement: Select[Any], request_id: UUID) -> Row:
    with autocommit(engine) as connection:
        row = connection.execute(statement, {"id": request_id}).mappings().one_or_none()
    if row is None:
        raise unknown_request(request_id)
    return row


def _found(row: Row, *columns: str) -> list[RequestFile]:
    return [RequestFile(**file) for column in columns for file in row[column] or ()]


def unknown_request(request_id: UUID) -> UnknownRequestError:
    """Return what is said of a request that is not there, and of one that a caller is not to know of."""
    return UnknownRequestError(f"There is no request {request_id}.")


def list_attempts(engine: Engine, request_id: UUID) -> Sequence[Row]:
    """The attempts, first to last. Raises UnknownRequestError."""
    columns = request_attempt.c
    with autocommit(engine) as connection:
        statement = select(request_attempt).where(columns.request_id == request_id).order_by(columns.number)
        rows = connection.execute(statement).mappings().all()
    if not rows:
        find_status(engine, request_id)
    return rows


@dataclass(frozen=True, slots=True)
class CurrentLine:
    """A printed line that has no end yet, as it was when the lease was extended last."""

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


LOG_BYTES = 4 * 1024 * 1024  # of a page of log lines, which ends with the line that reaches them
LOG_LINE_BYTES = 40  # time, attempt and stream beside the text of a line


def list_log_lines(
    engine: Engine,
    request_id: UUID,
    attempt: int | None,
    after: tuple[int, int],
    *,
    limit: int = 100_000,
    limit_bytes: int = LOG_BYTES,
) -> tuple[Sequence[Row], list[CurrentLine]]:
    """Return log lines after (attempt, number), in order, and the lines that have no end yet.

    The latter only when no line follows the former: they are what a running attempt is at. At least one line is
    returned where there is one, whatever its size. Raises UnknownRequestError.
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
        # First: a line that ends in between is then there twice, and never missing.
        running = connection.execute(CURRENT_LINES, {"id": request_id, "attempt": attempt}).one_or_none()
        rows = connection.execute(_within(statement, limit_bytes)).mappings().all()
    if not rows:
        find_status(engine, request_id)
    if running is None or len(rows) == limit or (rows and rows[-1]["size"] >= limit_bytes):
        return rows, []
    return rows, [CurrentLine(datetime.fromisoformat(t), running.number, *rest) for t, *rest in running.current_lines]


def _within(lines: Select[Any], limit_bytes: int) -> Select[Any]:
    """Select the first of these lines, up to the one that reaches the limit. size: of each with all before it."""
    line = lines.subquery().c
    own = func.octet_length(line.line) + LOG_LINE_BYTES
    place = line.attempt, line.number
    sized = select(*line, own.label("own"), func.sum(own).over(order_by=place).label("size")).subquery().c
    return select(*sized).where(sized.size - sized.own < limit_bytes).order_by(sized.attempt, sized.number)
