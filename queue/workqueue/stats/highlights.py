"""Read the requests that the overview lists: the longest-running ones and the latest failures. Without their events."""

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, func, literal_column, select

from schema.engine import autocommit
from schema.statuses import IS_FAILURE, Status
from schema.tables.requests import processing_request

COLUMNS = processing_request.c
MAX_MESSAGE = 1000  # characters of an error message
LISTED_COLUMNS = (
    COLUMNS.id,
    COLUMNS.function,
    COLUMNS.status,
    COLUMNS.phase,
    COLUMNS.progress_fraction,
    COLUMNS.progress_message,
    COLUMNS.started_at,
    COLUMNS.finished_at,
    COLUMNS.error_type,
    func.left(COLUMNS.error_message, MAX_MESSAGE).label("error_message"),
)


def read_highlights(engine: Engine, count: int) -> tuple[list[RowMapping], list[RowMapping]]:
    """Return the `count` longest-running requests, and the `count` latest failures."""
    with autocommit(engine) as connection:
        running = _rows(connection, COLUMNS.status == Status.PROCESSING, COLUMNS.started_at, count)
        failed = _rows(connection, literal_column(IS_FAILURE), COLUMNS.finished_at.desc(), count)
        return running, failed


def _rows(
    connection: Connection, condition: ColumnElement[bool], order: ColumnElement[object], count: int
) -> list[RowMapping]:
    statement = select(*LISTED_COLUMNS).where(condition).order_by(order, COLUMNS.id).limit(count)
    return list(connection.execute(statement).mappings())
