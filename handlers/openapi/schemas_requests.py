"""The shapes of what is answered and taken: the other half of `representation`, which a test holds against them."""

from typing import Any

from handlers.openapi.json_schema import (
    Optional,
    anything,
    array,
    closed,
    flag,
    listing,
    mapping,
    moment,
    nullable,
    number,
    one_of,
    page,
    shape,
    text,
    uuid,
    whole,
)
from schema.schedule_policies import Misfire, Overlap
from schema.statuses import Outcome, Phase, Status

NAME = text(pattern="^[A-Za-z0-9_-]{1,64}$")

FIELD_ERROR = shape(
    "FieldError",
    field=text("the parameter, header or field of the body"),
    detail=text("what is wrong with it, and what is expected"),
)
PROBLEM = shape(
    "Problem",
    "RFC 9457",
    type=text(),
    title=text("the status in words"),
    status=whole(),
    detail=text("what happened, and what to do"),
    errors=Optional(array(FIELD_ERROR, "one entry per wrong field")),
)

IMPORT_FAILURE = shape(
    "ImportFailure",
    "Code that could not be imported.",
    source_file=text(),
    error_type=text(),
    error_message=text(),
    traceback=text(),
)
FUNCTION = shape(
    "Function",
    name=NAME,
    description=text(),
    queue=text(),
    timeout_s=number("then it is killed"),
    max_attempts=whole("its own failures that end a request"),
    memory_mb=whole("resident memory above which it is killed"),
    network=flag("whether it may use the network once its module is imported"),
    input_schema=nullable({"type": "object", "description": "JSON Schema of the event"}),
    source_file=text(),
    source_line=whole(),
    module=text(),
    error=nullable(IMPORT_FAILURE),
)
SKIPPED_FILE = shape("SkippedFile", "A file that is not discovered.", source_file=text(), reason=text())
FUNCTIONS = listing("Functions", FUNCTION, errors=array(IMPORT_FAILURE), skipped=array(SKIPPED_FILE))

FILE = shape(
    "File",
    name=text("the part it came in, or the name it was saved under; an input and an output may have the same"),
    kind=one_of(("input", "output")),
    filename=text(),
    size=whole("bytes"),
    content_type=text(),
    sha256=text(),
    href=text("where its bytes are"),
)
PROGRESS = shape(
    "Progress",
    fraction=nullable(number(minimum=0, maximum=1)),
    message=nullable(text()),
)
LINK_NAMES: dict[str, Any] = {name: text() for name in ("self", "result", "attempts", "logs", "cancel", "retry")}
LINKS = shape("RequestLinks", **LINK_NAMES)
REQUEST_FIELDS: dict[str, Any] = {
    "id": uuid("UUIDv7: sorts by creation"),
    "function": text(),
    "status": one_of(Status),
    "phase": nullable(one_of(Phase)),
    "progress": PROGRESS,
    "event": anything("as it was posted"),
    "attempt": whole("of the last attempt, from 1; 0 before the first"),
    "max_attempts": whole(),
    "job_id": nullable(text("RQ's job that rang last")),
    "queue": text(),
    "schedule": nullable(text("the schedule that made it")),
    "scheduled_for": nullable(moment("the time that it was made for")),
    "created_at": moment(),
    "available_at": moment("not run before"),
    "started_at": nullable(moment()),
    "finished_at": nullable(moment()),
    "error_type": nullable(text("why it ended, or why its last attempt did")),
    "error_message": nullable(text()),
    "cancel_requested": flag(),
    "cancelled": flag("it ended because of a cancel: its status is failed, and no figure counts it as a failure"),
    "worker": nullable(text("that runs it, or ran it last")),
    "files": array(FILE),
    "links": LINKS,
}
REQUEST = shape("Request", "One accepted call.", **REQUEST_FIELDS)
CHANGED_REQUEST = shape(
    "ChangedRequest",
    "A request as a caller sees it that may change it and not read it.",
    **{name: REQUEST_FIELDS[name] for name in ("id", "function", "status", "cancel_requested", "links")},
)
ENDED = shape(
    "EndedRequest",
    "A request that ended while the client waited, with its result.",
    **REQUEST_FIELDS,
    result=anything("what the function returned; null when it failed"),
)
REQUESTS = page("Requests", REQUEST)
RESULT = shape(
    "Result",
    request_id=uuid(),
    data=anything("what the function returned"),
    files=array(FILE),
    created_at=moment(),
)
PHASE = shape(
    "AttemptPhase",
    "One that has no end goes on, or was cut off with its attempt.",
    phase=one_of(Phase),
    started_at=moment(),
    finished_at=Optional(moment()),
    duration_ms=Optional(number()),
    outcome=Optional(text()),
    error=Optional(text()),
)
ATTEMPT = shape(
    "Attempt",
    number=whole("from 1"),
    outcome=nullable(one_of(Outcome, "null while it runs")),
    worker=text(),
    started_at=moment(),
    finished_at=nullable(moment()),
    phases=array(PHASE),
    cold_start=nullable(flag()),
    init_ms=nullable(number("what a cold start took")),
    max_rss_mb=nullable(number()),
    error_type=nullable(text()),
    error_message=nullable(text()),
    traceback=nullable(text()),
)
ATTEMPTS = listing("Attempts", ATTEMPT)
BATCH = shape("AcceptedBatch", ids=array(uuid(), "in the order of the events"))

HEALTH = shape("Health", status=one_of(("ok",)))
READINESS = shape(
    "Readiness",
    status=one_of(("ok", "not ready")),
    checks=Optional(mapping(text("ok, missing, or away and why"), "for those who may read")),
)

SETTABLE: dict[str, Any] = {
    "name": NAME,
    "function": NAME,
    "expression": text("cron, @daily, cron(…), rate(…) or at(…)", examples=["0 8 * * MON-FRI"]),
    "event": anything("what the function is called with"),
    "timezone": text(examples=["Europe/Berlin"]),
    "enabled": flag(),
    "start_at": nullable(moment("no time before")),
    "end_at": nullable(moment("none after")),
    "max_runs": nullable(whole("at most so many requests", minimum=1, maximum=2**31 - 1)),
    "misfire": one_of(Misfire, "what becomes of times that were missed"),
    "misfire_grace_s": number("what is no later than this was not missed", minimum=0, maximum=366 * 86400),
    "overlap": one_of(Overlap, "what becomes of a time while the request before still runs"),
    "queue": nullable(text("null: the function's own")),
    "description": text(maxLength=1000),
}
NEEDED = ("name", "function", "expression")
OPTIONAL: dict[str, Any] = {name: Optional(schema) for name, schema in SETTABLE.items()}
NEW_SCHEDULE = closed(shape("NewSchedule", **OPTIONAL | {name: SETTABLE[name] for name in NEEDED}))
SCHEDULE_CHANGE = closed(shape("ScheduleChange", "What is given is changed.", **OPTIONAL))
LAST_REQUEST = shape("LastRequest", id=uuid(), status=one_of(Status), cancelled=flag())
TIMED_BY = ("timezone", "start_at", "end_at")
SCHEDULE_TIMES = closed(
    shape("ScheduleTimes", **{name: OPTIONAL[name] for name in TIMED_BY} | {"expression": SETTABLE["expression"]})
)
NEXT_RUN = nullable(moment())
CHANGED_SCHEDULE = shape(
    "ChangedSchedule",
    "A schedule as a caller sees it that may change it and not read it.",
    name=NAME,
    enabled=flag(),
    next_run_at=NEXT_RUN,
)
SCHEDULE = shape(
    "Schedule",
    **SETTABLE,
    declared=flag("in code or localfn.toml"),
    next_run_at=NEXT_RUN,
    last_run_at=nullable(moment()),
    total_runs=whole(),
    last_request=nullable(LAST_REQUEST),
    error=nullable(text("why it makes no requests")),
)
SCHEDULES = listing("Schedules", SCHEDULE)
TIMES = shape("Times", times=array(moment(), "UTC, to the second"))
