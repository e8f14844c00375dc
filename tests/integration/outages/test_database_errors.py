"""Hide the database's messages from clients: neither statements nor their values are shown."""

from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from workqueue.invocation.failure import runtime_fault

VALUE = "a-value-of-somebody-else"
REFUSED = [
    ("INSERT INTO setup_flag VALUES (:value, true, now()), (:value, true, now())", VALUE),
    ("INSERT INTO setup_flag (name) VALUES (:value)", VALUE),
    ("SELECT CAST(:value AS integer)", VALUE),
    ("SELECT CAST(:value AS json)", VALUE),
    ("SELECT * FROM nowhere WHERE name = :value", VALUE),
    ("SELECT :value", f"{VALUE}\0"),
    ("SELECT :value", {VALUE}),
]


@pytest.mark.parametrize(("statement", "value"), REFUSED, ids=lambda each: repr(each)[:60])
def test_an_attempt_that_the_database_rejects_hides_its_message(engine: Engine, statement: str, value: Any) -> None:
    with pytest.raises((SQLAlchemyError, ValueError)) as caught, engine.connect() as connection:
        connection.execute(text(statement), {"value": value})
    end = runtime_fault(caught.value)
    stored = f"{end} {end.error_type} {end.traceback}"
    for secret in (VALUE, "INSERT", "SELECT", "SQL", "setup_flag", "nowhere", "psycopg"):
        assert secret not in stored, stored
    assert f"parameters: {{'value': '{VALUE}" not in str(caught.value), "an error's text goes into logs"
