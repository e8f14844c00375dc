"""Requests, their results, attempts and files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import quote

from handlers.openapi.component import OptionalField, closed, component, format_time, subset
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
    page,
    string,
    uuid,
)
from schema.statuses import LIVE, Outcome, Phase, Status, is_cancelled
from workqueue.event_json import JsonText
from workqueue.lifecycle import NewRequest
from workqueue.requests.queries import RequestFile

RETRY_AFTER_S = 2
LINK_NAMES = ("result", "attempts", "logs", "cancel", "retry")
FILE_PATHS = {"input": "inputs", "output": "files"}  # an upload and an output may have the same name

FILE = component(
    "File",
    name=string("the name of its form part or output; an input and an output may have the same name"),
    kind=enum(("input", "output")),
    filename=string(),
    size=integer("bytes"),
    content_type=string(),
    sha256=string(),
    href=string("the path to download it"),
)
PROGRESS = component(
    "Progress", fraction=nullable(number(minimum=0, maximum=1)), message=nullable(string("set by the function"))
)
REQUEST_FIELDS: dict[str, Any] = {
    "id": uuid("UUIDv7: sorts by creation time"),
    "function": string(),
    "status": enum(Status),
    "phase": nullable(enum(Phase)),
    "progress": PROGRESS,
    "event": any_value("the submitted event"),
    "attempt": integer("the number of the latest attempt, from 1; 0 before the first"),
    "max_attempts": integer("failed attempts after which the request fails"),
    "job_id": nullable(string("the latest RQ job that announced the request to a worker")),
    "queue": string(),
    "schedule": nullable(string("the schedule that created the request")),
    "scheduled_for": nullable(date_time("the scheduled time of the tick that created the request")),
    "created_at": date_time(),
    "available_at": date_time("the request does not start earlier"),
    "started_at": nullable(date_time()),
    "finished_at": nullable(date_time()),
    "error_type": nullable(string("the error of the request, or of its latest attempt")),
    "error_message": nullable(string()),
    "cancel_requested": boolean(),
    "cancelled": boolean(
        "true if a cancel ended the request; its status is failed, and stats do not count it as failed"
    ),
    "worker": nullable(string("the worker of the latest attempt")),
    "files": array(FILE),
    "links": component("RequestLinks", **{name: string() for name in ("self", *LINK_NAMES)}),
}
REQUEST = component("Request", "One accepted invocation.", **REQUEST_FIELDS)
CHANGED_REQUEST = subset(
    "ChangedRequest",
    "A request, for a client that may change it and not read it.",
    REQUEST,
    ("id", "function", "status", "cancel_requested", "links"),
)
ENDED_REQUEST = component(
    "EndedRequest",
    "A request that ended while the client waited, with its result.",
    **REQUEST_FIELDS,
    result=any_value("the return value of the function; null if the request failed"),
)
REQUESTS = page("Requests", REQUEST)
ACCEPTED_BATCH = component("AcceptedBatch", ids=array(uuid(), "the request ids, in the order of the events"))
RESULT = component(
    "Result",
    request_id=uuid(),
    data=any_value("the return value of the function"),
    files=array(FILE),
    created_at=date_time(),
)
PHASE = component(
    "AttemptPhase",
    "A phase of an attempt. One without finished_at runs, or was cut off when its attempt ended.",
    phase=enum(Phase),
    started_at=date_time(),
    finished_at=OptionalField(date_time()),
    duration_ms=OptionalField(number()),
    outcome=OptionalField(string()),
    error=OptionalField(string()),
)
ATTEMPT = component(
    "Attempt",
    number=integer("counts from 1"),
    outcome=nullable(enum(Outcome, "null while the attempt runs")),
    worker=string(),
    started_at=date_time(),
    finished_at=nullable(date_time()),
    phases=array(PHASE),
    cold_start=nullable(boolean("whether a new sandbox was started for it")),
    init_ms=nullable(number("duration of the cold start")),
    max_rss_mb=nullable(number("peak resident memory")),
    error_type=nullable(string()),
    error_message=nullable(string()),
    traceback=nullable(string()),
)
ATTEMPTS = item_list("Attempts", ATTEMPT)

BULK_NAMES = enum(("retry", "run", "cancel", "delete"))
BULK_ACTION = closed(component("BulkAction", action=BULK_NAMES, ids=array(uuid(), minItems=1, maxItems=1000)))
BULK_OUTCOME = component(
    "BulkOutcome", id=uuid(), done=boolean(), detail=nullable(string("the reason why the action was not done"))
)
BULK_OUTCOMES = component(
    "BulkOutcomes",
    action=BULK_NAMES,
    done=integer("how many requests were changed", minimum=0),
    items=array(BULK_OUTCOME),
)

HIGHLIGHT = component(
    "Highlight",
    "A request without its event.",
    id=uuid(),
    function=string(),
    status=enum(Status),
    phase=nullable(enum(Phase)),
    progress=PROGRESS,
    started_at=nullable(date_time()),
    finished_at=nullable(date_time()),
    error_type=nullable(string()),
    error_message=nullable(string("the first 1,000 characters")),
)
HIGHLIGHTS = component(
    "Highlights",
    running=array(HIGHLIGHT, "running requests, the longest-running first"),
    failed=array(HIGHLIGHT, "failed requests, the latest first"),
)

# The columns of a request that no worker has touched.
UNTOUCHED: dict[str, Any] = {
    "phase": None,
    "progress_fraction": None,
    "progress_message": None,
    "attempt": 0,
    "started_at": None,
    "finished_at": None,
    "error_type": None,
    "error_message": None,
    "cancel_requested": False,
    "worker": None,
}


def serialize_request(row: Mapping[Any, Any], files: Sequence[RequestFile]) -> dict[str, Any]:
    return REQUEST.serialize(
        row,
        progress=_serialize_progress(row),
        cancelled=is_cancelled(row),
        files=serialize_files(row["id"], files),
        links=_serialize_links(row["id"]),
    )


def serialize_accepted(accepted: NewRequest) -> dict[str, Any]:
    """Return a request that was just stored, without reading it back, which would cost as much as storing it."""
    row = UNTOUCHED | accepted.row(None) | {"event": JsonText.of(accepted.event)}
    return serialize_request(row, [RequestFile("input", **asdict(file)) for file in accepted.files])


def serialize_files(request_id: object, files: Sequence[RequestFile]) -> list[dict[str, Any]]:
    base = f"/api/requests/{request_id}"
    return [FILE.serialize(file, href=f"{base}/{FILE_PATHS[file.kind]}/{quote(file.name, safe='')}") for file in files]


def serialize_result(row: Mapping[Any, Any], files: Sequence[RequestFile]) -> dict[str, Any]:
    return RESULT.serialize(row, files=serialize_files(row["request_id"], files))


def serialize_attempt(row: Mapping[Any, Any]) -> dict[str, Any]:
    return ATTEMPT.serialize(row, phases=[_serialize_phase(phase) for phase in row["phases"]])


def serialize_highlight(row: Mapping[Any, Any]) -> dict[str, Any]:
    return HIGHLIGHT.serialize(row, progress=_serialize_progress(row))


def is_live(status: str) -> bool:
    return Status(status) in LIVE


def _serialize_progress(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {"fraction": row["progress_fraction"], "message": row["progress_message"]}


def _serialize_links(request_id: object) -> dict[str, str]:
    base = f"/api/requests/{request_id}"
    return {"self": base} | {name: f"{base}/{name}" for name in LINK_NAMES}


def _serialize_phase(phase: dict[str, Any]) -> dict[str, Any]:
    times = {
        name: format_time(datetime.fromisoformat(phase[name])) for name in phase.keys() & {"started_at", "finished_at"}
    }
    return phase | times
