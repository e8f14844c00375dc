"""Schedules and their next times."""

from typing import Any

from handlers.openapi.component import OptionalField, closed, component, format_second, subset
from handlers.openapi.json_schema import (
    any_value,
    array,
    boolean,
    date_time,
    enum,
    integer,
    item_list,
    nullable,
    number,
    string,
    uuid,
)
from handlers.resources.functions import NAME
from schema.schedule_policies import Misfire, Overlap
from schema.statuses import Status
from workqueue.schedules.queries import ScheduleDetails

SETTABLE: dict[str, Any] = {
    "name": NAME,
    "function": NAME,
    "expression": string("cron, @daily, cron(…), rate(…) or at(…)", examples=["0 8 * * MON-FRI"]),
    "event": any_value("the event of each request"),
    "timezone": string("an IANA time zone", examples=["Europe/Berlin"]),
    "enabled": boolean(),
    "start_at": nullable(date_time("no request is created for an earlier time")),
    "end_at": nullable(date_time("no request is created for a later time")),
    "max_runs": nullable(integer("requests after which the schedule stops", minimum=1, maximum=2**31 - 1)),
    "misfire": enum(Misfire, "which missed times get a request"),
    "misfire_grace_s": number(
        "seconds by which a request may be late before its time counts as missed", minimum=0, maximum=366 * 86400
    ),
    "overlap": enum(Overlap, "what happens at a scheduled time while the previous request runs"),
    "queue": nullable(string("null: the queue of the function")),
    "description": string(maxLength=1000),
}
NEEDED = ("name", "function", "expression")
OPTIONAL: dict[str, Any] = {name: OptionalField(schema) for name, schema in SETTABLE.items()}
NEW_SCHEDULE = closed(component("NewSchedule", **OPTIONAL | {name: SETTABLE[name] for name in NEEDED}))
SCHEDULE_CHANGE = closed(component("ScheduleChange", "The fields to change.", **OPTIONAL))
SCHEDULE_TIMES = closed(
    component(
        "ScheduleTimes",
        **{name: OPTIONAL[name] for name in ("timezone", "start_at", "end_at")},
        expression=SETTABLE["expression"],
    )
)
LAST_REQUEST = component("LastRequest", id=uuid(), status=enum(Status), cancelled=boolean())
SCHEDULE = component(
    "Schedule",
    **SETTABLE,
    declared=boolean("whether code or localfn.toml declares the schedule"),
    next_run_at=nullable(date_time()),
    last_run_at=nullable(date_time()),
    total_runs=integer(),
    last_request=nullable(LAST_REQUEST),
    error=nullable(string("the reason why the schedule creates no requests")),
)
CHANGED_SCHEDULE = subset(
    "ChangedSchedule",
    "A schedule, for a client that may change it and not read it.",
    SCHEDULE,
    ("name", "enabled", "next_run_at"),
)
SCHEDULES = item_list("Schedules", SCHEDULE)
TIMES = component("Times", times=array(date_time(), "UTC, in whole seconds"))


def serialize_schedule(details: ScheduleDetails) -> dict[str, Any]:
    schedule = details.schedule
    return SCHEDULE.serialize(
        schedule,
        **{name: format_second(getattr(schedule, name)) for name in ("start_at", "end_at", "next_run_at")},
        last_request=_serialize_last_request(details),
    )


def _serialize_last_request(details: ScheduleDetails) -> dict[str, Any] | None:
    if details.last_status is None:
        return None
    return {
        "id": str(details.schedule.last_request_id),
        "status": details.last_status,
        "cancelled": details.is_last_cancelled,
    }
