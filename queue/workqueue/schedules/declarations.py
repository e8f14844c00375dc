"""Schedules declared in code, by `@function(schedule=…)`, or in localfn.toml: rows that follow their source."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, text

from schema.advisory_locks import Lock, hold
from workqueue.errors import BadScheduleError
from workqueue.schedules.edits import upsert_declared
from workqueue.schedules.validation import Rules, checked_declaration

log = logging.getLogger(__name__)

Declared = Mapping[str, Mapping[str, Any]]


def in_code(engine: Engine) -> dict[str, dict[str, Any]]:
    """What the registered functions declare, by the schedule's name, which is the function's."""
    statement = text("SELECT name, schedule FROM registered_function WHERE schedule IS NOT NULL ORDER BY name")
    with engine.connect() as connection:
        return {row.name: {**row.schedule, "function": row.name} for row in connection.execute(statement)}


def declare_all(engine: Engine, declared: Declared, rules: Rules) -> None:
    """Makes the declared rows what `declared` says, and removes those that it no longer names.

    Raises BadScheduleError, whose fields begin with the schedule's name; nothing is changed then.
    """
    values = [checked(name, body, rules) for name, body in declared.items()]
    with engine.begin() as connection:
        hold(connection, Lock.DECLARE)
        for entry in values:
            upsert_declared(connection, entry)
        gone = text("DELETE FROM schedule WHERE declared AND name <> ALL(:names)")
        connection.execute(gone, {"names": list(declared)})


def checked(name: str, body: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """The columns of a declared schedule. Raises BadScheduleError."""
    try:
        return checked_declaration({"name": name, **body}, rules)
    except BadScheduleError as error:
        raise BadScheduleError(
            [{"field": f"{name}.{one['field']}", "detail": one["detail"]} for one in error.errors]
        ) from None


class Declarations:
    """Follows the code while everything runs: what changed since the last look is declared anew.

    Nothing is removed: a module that is just being edited may declare less for a moment. The next start does it.
    """

    def __init__(self, engine: Engine, rules: Callable[[], Rules]) -> None:
        self.engine = engine
        self.rules = rules  # asked at each change: functions come and go
        self._seen: dict[str, dict[str, Any]] = {}

    def look(self) -> None:
        declared = in_code(self.engine)
        for name, body in declared.items():
            if self._seen.get(name) == body:
                continue
            try:
                values = checked(name, body, self.rules())
            except BadScheduleError as error:
                log.warning("a declared schedule cannot be", extra={"schedule": name, "error": str(error)})
                continue
            with self.engine.begin() as connection:
                upsert_declared(connection, values)
        self._seen = declared
