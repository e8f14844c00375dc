"""The shapes of what is answered and taken: the other half of `representation`, which a test holds against them."""

from typing import Any

from handlers.openapi.json_schema import (
    OptionalField,
    any_value,
    array,
    boolean,
    closed,
    component,
    date_time,
    enum,
    integer,
    item_list,
    map_of,
    nullable,
    number,
    page,
    string,
    uuid,
)
from schema.schedule_policies import Misfire, Overlap
from schema.statuses import Outcome, Phase, Status

NAME = string(pattern="^[A-Za-z0-9_-]{1,64}$")

FIELD_ERROR = component(
    "FieldError",
    field=string("the parameter, header or field of the body"),
    detail=string("what is wrong with it, and what is expected"),
)
PROBLEM = component(
    "Problem",
    "RFC 9457",
    type=string(),
    title=string("the status in words"),
    status=integer(),
    detail=string("what happened, and what to do"),
    errors=OptionalField(array(FIELD_ERROR, "one entry per wrong field")),
)

IMPORT_FAILURE = component(
    "ImportFailure",
    "Code that could not be imported.",
    source_file=string(),
    error_type=string(),
    error_message=string(),
    traceback=string(),
)
FUNCTION = component(
    "Function",
    name=NAME,
    description=string(),
    queue=string(),
    timeout_s=number("then it is killed"),
    max_attempts=integer("its own failures that end a request"),
    memory_mb=integer("resident memory above which it is killed"),
    network=boolean("whether it may use the network once its module is imported"),
    input_schema=nullable({"type": "object", "description": "JSON Schema of the event"}),
    source_file=string(),
    source_line=integer(),
    module=string(),
    error=nullable(IMPORT_FAILURE),
)
SKIPPED_FILE = component("SkippedFile", "A file that is not discovered.", source_file=string(), reason=string())
FUNCTIONS = item_list("Functions", FUNCTION, errors=array(IMPORT_FAILURE), skipped=array(SKIPPED_FILE))

FILE = component(
    "File",
    name=string("the part it came in, or the name it was saved under; an input and an output may have the same"),
    kind=enum(("input", "output")),
    filename=string(),
    size=integer("bytes"),
    content_type=string(),
    sha256=string(),
    href=string("where its bytes are"),
)
PROGRESS = component(
    "Progress",
    fraction=nullable(number(minimum=0, maximum=1)),
    message=nullable(string()),
)
LINK_NAMES: dict[str, Any] = {name: string() for name in ("self", "result", "attempts", "logs", "cancel", "retry")}
LINKS = component("RequestLinks", **LINK_NAMES)
REQUEST_FIELDS: dict[str, Any] = {
    "id": uuid("UUIDv7: sorts by creation"),
    "function": string(),
    "status": enum(Status),
    "phase": nullable(enum(Phase)),
    "progress": PROGRESS,
    "event": any_value("as it was posted"),
    "attempt": integer("of the last attempt, from 1; 0 before the first"),
    "max_attempts": integer(),
    "job_id": nullable(string("RQ's job that rang last")),
    "queue": string(),
    "schedule": nullable(string("the schedule that made it")),
    "scheduled_for": nullable(date_time("the time that it was made for")),
    "created_at": date_time(),
    "available_at": date_time("not run before"),
    "started_at": nullable(date_time()),
    "finished_at": nullable(date_time()),
    "error_type": nullable(string("why it ended, or why its last attempt did")),
    "error_message": nullable(string()),
    "cancel_requested": boolean(),
    "cancelled": boolean("it ended because of a cancel: its status is failed, and no figure counts it as a failure"),
    "worker": nullable(string("that runs it, or ran it last")),
    "files": array(FILE),
    "links": LINKS,
}
REQUEST = component("Request", "One accepted call.", **REQUEST_FIELDS)
CHANGED_REQUEST = component(
    "ChangedRequest",
    "A request as a caller sees it that may change it and not read it.",
    **{name: REQUEST_FIELDS[name] for name in ("id", "function", "status", "cancel_requested", "links")},
)
ENDED = component(
    "EndedRequest",
    "A request that ended while the client waited, with its result.",
    **REQUEST_FIELDS,
    result=any_value("what the function returned; null when it failed"),
)
REQUESTS = page("Requests", REQUEST)
RESULT = component(
    "Result",
    request_id=uuid(),
    data=any_value("what the function returned"),
    files=array(FILE),
    created_at=date_time(),
)
PHASE = component(
    "AttemptPhase",
    "One that has no end goes on, or was cut off with its attempt.",
    phase=enum(Phase),
    started_at=date_time(),
    finished_at=OptionalField(date_time()),
    duration_ms=OptionalField(number()),
    outcome=OptionalField(string()),
    error=OptionalField(string()),
)
ATTEMPT = component(
    "Attempt",
    number=integer("from 1"),
    outcome=nullable(enum(Outcome, "null while it runs")),
    worker=string(),
    started_at=date_time(),
    finished_at=nullable(date_time()),
    phases=array(PHASE),
    cold_start=nullable(boolean()),
    init_ms=nullable(number("what a cold start took")),
    max_rss_mb=nullable(number()),
    error_type=nullable(string()),
    error_message=nullable(string()),
    traceback=nullable(string()),
)
ATTEMPTS = item_list("Attempts", ATTEMPT)
BATCH = component("AcceptedBatch", ids=array(uuid(), "in the order of the events"))

HEALTH = component("Health", status=enum(("ok",)))
READINESS = component(
    "Readiness",
    status=enum(("ok", "not ready")),
    checks=OptionalField(map_of(string("ok, missing, or away and why"), "for those who may read")),
)

SETTABLE: dict[str, Any] = {
    "name": NAME,
    "function": NAME,
    "expression": string("cron, @daily, cron(…), rate(…) or at(…)", examples=["0 8 * * MON-FRI"]),
    "event": any_value("what the function is called with"),
    "timezone": string(examples=["Europe/Berlin"]),
    "enabled": boolean(),
    "start_at": nullable(date_time("no time before")),
    "end_at": nullable(date_time("none after")),
    "max_runs": nullable(integer("at most so many requests", minimum=1, maximum=2**31 - 1)),
    "misfire": enum(Misfire, "what becomes of times that were missed"),
    "misfire_grace_s": number("what is no later than this was not missed", minimum=0, maximum=366 * 86400),
    "overlap": enum(Overlap, "what becomes of a time while the request before still runs"),
    "queue": nullable(string("null: the function's own")),
    "description": string(maxLength=1000),
}
NEEDED = ("name", "function", "expression")
OPTIONAL: dict[str, Any] = {name: OptionalField(schema) for name, schema in SETTABLE.items()}
NEW_SCHEDULE = closed(component("NewSchedule", **OPTIONAL | {name: SETTABLE[name] for name in NEEDED}))
SCHEDULE_CHANGE = closed(component("ScheduleChange", "What is given is changed.", **OPTIONAL))
LAST_REQUEST = component("LastRequest", id=uuid(), status=enum(Status), cancelled=boolean())
TIMED_BY = ("timezone", "start_at", "end_at")
SCHEDULE_TIMES = closed(
    component("ScheduleTimes", **{name: OPTIONAL[name] for name in TIMED_BY} | {"expression": SETTABLE["expression"]})
)
NEXT_RUN = nullable(date_time())
CHANGED_SCHEDULE = component(
    "ChangedSchedule",
    "A schedule as a caller sees it that may change it and not read it.",
    name=NAME,
    enabled=boolean(),
    next_run_at=NEXT_RUN,
)
SCHEDULE = component(
    "Schedule",
    **SETTABLE,
    declared=boolean("in code or localfn.toml"),
    next_run_at=NEXT_RUN,
    last_run_at=nullable(date_time()),
    total_runs=integer(),
    last_request=nullable(LAST_REQUEST),
    error=nullable(string("why it makes no requests")),
)
SCHEDULES = item_list("Schedules", SCHEDULE)
TIMES = component("Times", times=array(date_time(), "UTC, to the second"))
