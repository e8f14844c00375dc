"""Synchronize the rows of schedules that are declared by `@function(schedule=…)` or in localfn.toml."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, text

from schema.advisory_locks import Lock, lock_for_transaction
from schema.engine import autocommit
from workqueue.errors import BadScheduleError
from workqueue.functions.registry import FunctionSpec
from workqueue.schedules.edits import upsert_declared
from workqueue.schedules.validation import Rules, validate_declaration

log = logging.getLogger(__name__)

DeclaredSchedules = Mapping[str, Mapping[str, Any]]


def read_declared_in_code(engine: Engine) -> dict[str, dict[str, Any]]:
    """Return the schedules that registered functions declare, by name: the function's name."""
    statement = text("SELECT name, schedule FROM registered_function WHERE schedule IS NOT NULL ORDER BY name")
    with autocommit(engine) as connection:
        return {row.name: {**row.schedule, "function": row.name} for row in connection.execute(statement)}


def replace_declared(engine: Engine, declared: DeclaredSchedules, rules: Rules) -> None:
    """Create or update the declared schedules, and delete declared rows that `declared` no longer names.

    Raises BadScheduleError, whose fields start with the schedule's name; then nothing is changed.
    """
    values = [validate_entry(name, body, rules) for name, body in declared.items()]
    with engine.begin() as connection:
        lock_for_transaction(connection, Lock.DECLARE)
        for entry in values:
            upsert_declared(connection, entry)
        delete_others = text("DELETE FROM schedule WHERE declared AND name <> ALL(:names)")
        connection.execute(delete_others, {"names": list(declared)})


def validate_entry(name: str, body: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """Return the columns of a declared schedule. Raises BadScheduleError, whose fields start with the name."""
    try:
        return validate_declaration({"name": name, **body}, rules)
    except BadScheduleError as error:
        raise BadScheduleError(
            [{"field": f"{name}.{each['field']}", "detail": each["detail"]} for each in error.errors]
        ) from None


def declared_schedule_problem(function: FunctionSpec) -> str | None:
    """Return the problem of the schedule that a function declares; None if it is valid or the function has none."""
    if function.schedule is None:
        return None
    queue = function.schedule.get("queue")
    # Workers elsewhere may serve any queue, and may allow larger events: the start checks both.
    rules = Rules((queue,) if isinstance(queue, str) else (), sys.maxsize, frozenset({function.name}))
    try:
        validate_declaration({"name": function.name, **function.schedule, "function": function.name}, rules)
    except BadScheduleError as error:
        return "; ".join(f"schedule: {each['field']}: {each['detail']}" for each in error.errors)
    return None


class DeclarationSync:
    """Update declared schedules when the code changes while the runtime runs.

    Schedules are never deleted here: a module that a developer is editing may lack declarations for a moment. The next
    start deletes them.
    """

    def __init__(self, engine: Engine, rules: Callable[[], Rules]) -> None:
        self.engine = engine
        self.rules = rules  # called for each change, because the set of functions changes
        self._synced: dict[str, dict[str, Any]] = {}

    def sync(self) -> None:
        """Create or update the schedules whose declaration has changed since the last call."""
        declared = read_declared_in_code(self.engine)
        for name, body in declared.items():
            if self._synced.get(name) == body:
                continue
            try:
                values = validate_entry(name, body, self.rules())
            except BadScheduleError as error:
                log.warning("declared schedule rejected", extra={"schedule": name, "error": str(error)})
                continue
            with self.engine.begin() as connection:
                upsert_declared(connection, values)
        self._synced = declared
