"""What counts as an outage, after which a write is tried again, and what would be tried in vain for ever."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from schema.engine import make_engine
from workqueue.database import is_outage

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'as asked' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("53100", True),  # the disk is full
        ("53300", True),  # too many connections
        ("57P01", True),  # the server is shut down
        ("08006", True),  # the connection failed
        ("54000", False),  # beyond a limit of the server's
        ("22P05", False),  # a character that it does not know
        ("23505", False),  # a row that is there already
        ("42703", False),  # a column that is not
    ],
)
def test_states_that_pass_are_outages_and_those_that_stay_are_none(engine: Engine, state: str, expected: bool) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(RAISE.format(state=state)))
    assert is_outage(caught.value) is expected


def test_a_server_that_is_not_there_is_an_outage() -> None:
    engine = make_engine("postgresql+psycopg://localhost:1/none")
    with pytest.raises(DBAPIError) as caught:
        engine.connect()
    assert is_outage(caught.value)
    engine.dispose()
