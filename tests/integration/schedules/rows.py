"""Rows for the tests of schedules, written as a person with psql would, and what became of them."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, text

from schema.tables.requests import registered_function
from tests.integration.lifecycle.test_transitions import function_spec
from workqueue.schedules import next_run, queries
from workqueue.schedules.schedule import Schedule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def register(engine: Engine, name: str = "f", **options: Any) -> None:
    with engine.begin() as connection:
        connection.execute(insert(registered_function), asdict(function_spec(name=name, **options)))


def put(engine: Engine, name: str = "s", expression: str = "* * * * *", edited_s: float = -30, **columns: Any) -> None:
    """A row that was written `edited_s` after noon, and is planned now."""
    values = {"function": "f", "created_at": at(edited_s), "edited_at": at(edited_s)} | columns
    values |= {"name": name, "expression": expression}
    if "event" in values:
        values["event"] = json.dumps(values["event"])
    with engine.begin() as connection:
        names, places = ", ".join(values), ", ".join(f":{column}" for column in values)
        connection.execute(text(f"INSERT INTO schedule ({names}) VALUES ({places})"), values)
    next_run.plan_edited_schedules(engine)


def row(engine: Engine, name: str = "s") -> Schedule:
    return queries.find(engine, name).schedule


def edit(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def made(engine: Engine, name: str = "s") -> list[datetime]:
    """The times that requests of a schedule were made for, in order; a time twice stands twice."""
    statement = text(
        "SELECT scheduled_for FROM processing_request"
        " WHERE schedule = :name AND scheduled_for IS NOT NULL ORDER BY scheduled_for"
    )
    with engine.connect() as connection:
        return [moment.astimezone(UTC) for moment in connection.execute(statement, {"name": name}).scalars()]
