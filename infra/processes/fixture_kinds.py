"""Validate and write the kinds of fixtures: schedules, requests and users."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from uuid_utils.compat import uuid7

from infra.audit_actor import audit_entry
from infra.config.settings import Settings
from infra.errors import InfraError
from seed import fixtures, loading
from seed.errors import BadEntryError, FixtureError
from workqueue import audit, event_json, lifecycle
from workqueue.audit import Action
from workqueue.auth import users, validation
from workqueue.clock import Clock
from workqueue.errors import BadAccessError, BadEventError, BadScheduleError, EventTooLargeError
from workqueue.functions import registry
from workqueue.functions.registry import FunctionSpec
from workqueue.lifecycle import NewRequest
from workqueue.schedules import edits
from workqueue.schedules import validation as schedule_checking

# A later start: the reconciler then rings for the request, and loading needs no Redis.
START_DELAY = timedelta(milliseconds=1)


def load(engine: Engine, settings: Settings, folder: Path = fixtures.FOLDER, *, with_dev: bool, once: bool) -> str:
    """Load the fixtures and return a summary in one line. Raises InfraError if nothing was loaded."""
    if once and loading.are_loaded(engine):
        return "fixtures were loaded before"
    try:
        kinds = _kinds(engine, settings, "init" if once else "seed")
        loaded = loading.load(engine, fixtures.read_fixtures(folder, with_dev=with_dev), kinds, once=once)
    except FixtureError as error:
        raise InfraError(str(error)) from None
    if loaded is None:
        return "fixtures were loaded before"
    created = ", ".join(f"{count} {kind}" for kind, count in loaded.created.items()) or "nothing new"
    existing = f", {loaded.existing} already exist" if loaded.existing else ""
    skipped = f", {len(loaded.skipped)} skipped because their functions are missing" if loaded.skipped else ""
    return f"fixtures: {created}{existing}{skipped}"


def _kinds(engine: Engine, settings: Settings, command: str) -> dict[str, loading.FixtureKind]:
    clock = Clock()
    clock.synchronise(engine)
    functions = {found.name: found for found in registry.read_registry(engine).functions}
    now = clock.now()
    rules = edits.load_rules(engine, settings.queues, settings.max_event_bytes)
    return {
        "schedules": _Schedules(functions, rules, now, command),
        "requests": _Requests(functions, settings.queues, settings.max_event_bytes, now),
        "users": _Users(command),
    }


@dataclass(frozen=True)
class _Schedules:
    """Load schedules; skip a schedule of an unknown function. command: for the audit."""

    functions: Mapping[str, FunctionSpec]
    rules: schedule_checking.Rules
    now: datetime
    command: str
    key = "name"

    def validate(self, fields: Mapping[str, Any]) -> dict[str, Any] | None:
        if isinstance(fields.get("function"), str) and fields["function"] not in self.functions:
            return None
        try:
            return schedule_checking.validate_new(fields, self.rules, self.now)
        except (BadScheduleError, EventTooLargeError) as error:
            raise BadEntryError(str(error)) from None

    def write(self, connection: Connection, validated: dict[str, Any]) -> bool:
        is_new = edits.insert_new(connection, validated)
        if is_new:
            audit.record(connection, audit_entry(self.command, Action.SCHEDULE_CREATE, validated["name"]))
        return is_new


@dataclass(frozen=True)
class _Requests:
    """Load requests. key: names the fixture; its request is created only once."""

    functions: Mapping[str, FunctionSpec]
    queues: tuple[str, ...]
    max_event_bytes: int
    now: datetime
    key = "key"

    def validate(self, fields: Mapping[str, Any]) -> tuple[str, NewRequest] | None:
        for name in fields:
            if name not in ("key", "function", "event", "queue"):
                raise BadEntryError(f"{name}: unknown field; known are key, function, event, queue")
        if not isinstance(fields.get("function"), str):
            raise BadEntryError("function: the name of a function is needed")
        function = self.functions.get(fields["function"])
        if function is None:
            return None
        queue = fields.get("queue", function.queue)
        if queue not in self.queues:
            raise BadEntryError(f"queue: one of {', '.join(self.queues)} is needed")
        request = NewRequest(
            id=uuid7(),
            function=function,
            event=self._event(fields.get("event", {})),
            queue=queue,
            created_at=self.now,
            available_at=self.now + START_DELAY,
        )
        return str(fields["key"]), request

    def _event(self, event: Any) -> Any:
        try:
            return event_json.parse(json.dumps(event).encode(), self.max_event_bytes)
        except (BadEventError, EventTooLargeError, TypeError) as error:
            raise BadEntryError(f"event: {error}") from None

    def write(self, connection: Connection, validated: tuple[str, NewRequest]) -> bool:
        key, request = validated
        return loading.set_flag(connection, f"request/{key}") and lifecycle.accept(connection, [request])


@dataclass(frozen=True)
class _Users:
    """Load users; an existing user keeps password and role. command: for the audit."""

    command: str
    key = "username"

    def validate(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            validation.check_fields(fields, users.RULES, needed=("username", "password"))
        except BadAccessError as error:
            raise BadEntryError(str(error)) from None
        return fields

    def write(self, connection: Connection, validated: Mapping[str, Any]) -> bool:
        is_new = users.insert_new(connection, validated)
        if is_new:
            audit.record(connection, audit_entry(self.command, Action.USER_CREATE, validated["username"]))
        return is_new
