"""Classify database errors: outages, after which a write is retried, and errors that a retry cannot fix."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from schema.engine import make_engine
from workqueue.database import is_outage

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("53100", True),  # The disk is full.
        ("53300", True),  # Too many connections.
        ("57P01", True),  # The server is shut down.
        ("08006", True),  # The connection failed.
        ("54000", False),  # Beyond a limit of the server.
        ("22P05", False),  # An unknown character.
        ("23505", False),  # A duplicate row.
        ("42703", False),  # An unknown column.
    ],
)
def test_temporary_errors_are_outages_and_permanent_errors_are_not(engine: Engine, state: str, expected: bool) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(RAISE.format(state=state)))
    assert is_outage(caught.value) is expected


def test_an_unreachable_server_is_an_outage() -> None:
    engine = make_engine("postgresql+psycopg://localhost:1/none")
    with pytest.raises(DBAPIError) as caught:
        engine.connect()
    assert is_outage(caught.value)
    engine.dispose()
