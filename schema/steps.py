"""Transactions as lists of steps, to be run on a connection that waits, or by an event loop.

A generator yields a statement with its values, receives the rows, and returns the answer:

    def rename(id, name) -> Steps[bool]:
        rows = yield RENAME, {"id": id, "name": name}
        return bool(rows)
"""

from collections.abc import Generator, Sequence
from functools import cache
from typing import Any, TypeVar

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

Answer = TypeVar("Answer")
Step = tuple[TextClause, dict[str, Any]]
Rows = Sequence[Any]  # with one attribute for each column
Steps = Generator[Step, Rows, Answer]

DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def run(connection: Connection, steps: Steps[Answer]) -> Answer:
    """Run the steps on a connection, in its transaction, and return their answer."""
    try:
        statement, values = next(steps)
        while True:
            result = connection.execute(statement, values)
            statement, values = steps.send(result.all() if result.returns_rows else [])
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer


async def run_async(connection: psycopg.AsyncConnection[Any], steps: Steps[Answer]) -> Answer:
    """Run the steps on a connection of an event loop, and return their answer."""
    try:
        statement, values = next(steps)
        while True:
            cursor = connection.cursor(row_factory=namedtuple_row)
            await cursor.execute(_driver_sql(statement), values, prepare=True)
            statement, values = steps.send(await cursor.fetchall() if cursor.description else [])
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer


@cache
def _driver_sql(statement: TextClause) -> bytes:
    """Return the statement with the placeholders of psycopg."""
    return str(statement.compile(dialect=DIALECT)).encode()
