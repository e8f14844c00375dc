"""Write rows of schedules as a user of psql would, and read the requests that they made."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, text

from schema.tables.requests import registered_function
from tests.integration.lifecycle.steps import function_spec
from workqueue.schedules import next_run, queries
from workqueue.schedules.schedule import Schedule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def noon_plus(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def register(engine: Engine, name: str = "f", **options: Any) -> None:
    with engine.begin() as connection:
        connection.execute(insert(registered_function), asdict(function_spec(name=name, **options)))


def put(engine: Engine, name: str = "s", expression: str = "* * * * *", edited_s: float = -30, **columns: Any) -> None:
    """Insert a row edited `edited_s` seconds after noon, and plan it."""
    values = {"function": "f", "created_at": noon_plus(edited_s), "edited_at": noon_plus(edited_s)} | columns
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


def request_times(engine: Engine, name: str = "s") -> list[datetime]:
    """Return the times of a schedule's requests, in order; a duplicate time appears twice."""
    statement = text(
        "SELECT scheduled_for FROM processing_request"
        " WHERE schedule = :name AND scheduled_for IS NOT NULL ORDER BY scheduled_for"
    )
    with engine.connect() as connection:
        return [moment.astimezone(UTC) for moment in connection.execute(statement, {"name": name}).scalars()]
