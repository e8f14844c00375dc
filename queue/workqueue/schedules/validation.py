"""Validate all fields of a schedule at once: the error names each invalid field, with a valid example."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schema.engine import to_json
from schema.schedule_policies import Misfire, Overlap
from workqueue.errors import BadExpressionError, BadScheduleError, EventTooLargeError, UnknownZoneError
from workqueue.schedules import fields
from workqueue.schedules.calendar import expression, time_zones
from workqueue.schedules.calendar.expression import At
from workqueue.schedules.calendar.timetable import Timetable, first_after
from workqueue.schedules.schedule import Schedule

DEFAULTS: Mapping[str, Any] = {
    "event": {},
    "timezone": "UTC",
    "enabled": True,
    "start_at": None,
    "end_at": None,
    "max_runs": None,
    "misfire": Misfire.ONCE,
    "misfire_grace_s": 10.0,
    "overlap": Overlap.ALLOW,
    "queue": None,
    "description": "",
}
REQUIRED = ("name", "function", "expression")
# A client's clock may be behind, and a call takes time: accept a start_at that is slightly past.
START_TOLERANCE = timedelta(minutes=5)

Errors = dict[str, str]


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits for schedules. queues: those that workers serve. functions: the names of registered functions."""

    queues: tuple[str, ...]
    max_event_bytes: int
    functions: frozenset[str]

    @property
    def readers(self) -> dict[str, fields.Reader]:
        return {
            "name": fields.read_name,
            "function": fields.function_reader(self.functions),
            "event": self._event,
            "expression": fields.read_expression,
            "timezone": fields.read_timezone,
            "enabled": fields.read_bool,
            "start_at": fields.read_bound,
            "end_at": fields.read_bound,
            "max_runs": fields.read_max_runs,
            "misfire": fields.read_misfire,
            "misfire_grace_s": fields.read_grace_s,
            "overlap": fields.read_overlap,
            "queue": fields.queue_reader(self.queues),
            "description": fields.read_description,
        }

    def _event(self, value: Any) -> Any:
        try:
            text = to_json(value)
        except (TypeError, ValueError):  # TOML has values that JSON lacks
            raise ValueError("JSON has no dates, times, nan and inf; put each in quotes") from None
        if len(text.encode()) > self.max_event_bytes:
            raise EventTooLargeError
        return value


def validate_new(body: Any, rules: Rules, now: datetime) -> dict[str, Any]:
    """Return all columns of a new schedule. Raises BadScheduleError, EventTooLargeError."""
    values, errors = _read_fields(body, rules)
    for name in REQUIRED:
        if name not in values and name not in errors:
            errors[name] = f"is missing; a schedule needs {', '.join(REQUIRED)}"
    merged = {**DEFAULTS, **values}
    if not errors:
        errors = check_times(merged, frozenset(merged), now, anchor=now)
    _raise_if_any(errors)
    return merged


def validate_change(body: Any, rules: Rules, before: Schedule, now: datetime) -> dict[str, Any]:
    """Return the columns to change. Raises BadScheduleError, EventTooLargeError."""
    values, errors = _read_fields(body, rules)
    if "name" in values and values.pop("name") != before.name:
        errors["name"] = "a schedule cannot be renamed; create another one, and delete this one"
    if not errors:
        merged = {name: getattr(before, name) for name in DEFAULTS} | {"expression": before.expression} | values
        errors = check_times(merged, frozenset(values), now, before.created_at)
    _raise_if_any(errors)
    return values


def validate_declaration(body: Any, rules: Rules) -> dict[str, Any]:
    """Return all columns of a declared schedule. Raises BadScheduleError.

    Accept past times, because every start reads the declarations again.
    """
    values, errors = _read_fields(body, rules)
    errors |= {name: "is missing" for name in REQUIRED if name not in values and name not in errors}
    _raise_if_any(errors)
    return {**DEFAULTS, **values}


def _read_fields(body: Any, rules: Rules) -> tuple[dict[str, Any], Errors]:
    if not isinstance(body, Mapping):
        return {}, {"body": 'an object is needed, such as {"name": "x", "function": "f", "expression": "@daily"}'}
    readers, values, errors = rules.readers, dict[str, Any](), Errors()
    for name, value in body.items():
        if name not in readers:
            near = difflib.get_close_matches(str(name), readers, n=1)
            hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(readers)}"
            errors[str(name)] = f"is not a settable field; {hint}"
            continue
        try:
            values[name] = readers[name](value)
        except ValueError as error:
            errors[name] = str(error)
    return values, errors


def _raise_if_any(errors: Errors) -> None:
    if errors:
        raise BadScheduleError([{"field": name, "detail": detail} for name, detail in errors.items()])


def check_times(merged: Mapping[str, Any], given_fields: frozenset[str], now: datetime, anchor: datetime) -> Errors:
    """Return the errors in a schedule's times, by field. given_fields: the fields that the client sets now. Pure."""
    start_at, end_at = merged["start_at"], merged["end_at"]
    example = (now + timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
    if "start_at" in given_fields and start_at is not None and start_at < now - START_TOLERANCE:
        return {"start_at": f"is in the past; a valid one is {example}, or null"}
    if "end_at" in given_fields and end_at is not None and end_at <= now:
        return {"end_at": f"is in the past; a valid one is {example}, or null"}
    if given_fields & {"start_at", "end_at"} and start_at and end_at and end_at <= start_at:
        return {"end_at": f"is not later than start_at; a valid one is {_example_after(start_at)}, or null"}
    if not given_fields & {"expression", "timezone", "start_at", "end_at"}:
        return {}
    try:
        return _check_rule(merged, now, anchor)
    except BadExpressionError as error:  # an operator may have written the stored fields by SQL
        return {"expression": str(error)}
    except UnknownZoneError as error:
        return {"timezone": str(error)}


def _check_rule(merged: Mapping[str, Any], now: datetime, anchor: datetime) -> Errors:
    rule, zone = expression.parse(merged["expression"]), time_zones.find(merged["timezone"])
    tomorrow = (now.astimezone(zone) + timedelta(days=1)).strftime("at(%Y-%m-%dT12:00:00)")
    if isinstance(rule, At) and not time_zones.exists(rule.local, zone):
        text = f"{rule.local} does not exist in {merged['timezone']}: clocks skip it; a valid one is {tomorrow}"
        return {"expression": text}
    start_at = merged["start_at"]
    table = Timetable(rule, zone, start_at or anchor.replace(microsecond=0), start_at, merged["end_at"])
    if first_after(table, now) is not None:
        return {}
    if merged["end_at"] is not None and first_after(Timetable(rule, zone, table.anchor, start_at), now) is not None:
        return {"end_at": "comes before the first time; a later one is needed, or null"}
    kind = "is in the past" if isinstance(rule, At) else "has no future time"
    return {"expression": f"{merged['expression']} {kind}; a valid one is {tomorrow} or rate(5 minutes)"}


def _example_after(moment: datetime) -> str:
    return (moment + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
