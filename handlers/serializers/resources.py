"""How a request, a function and an attempt look in JSON; the names are the contract's."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from schema.statuses import LIVE, Status, is_cancelled
from workqueue.event_json import JsonText
from workqueue.functions.registry import FunctionSpec, ImportFailure
from workqueue.lifecycle import NewRequest
from workqueue.requests.queries import RequestFile
from workqueue.schedules.queries import ScheduleDetails

RETRY_AFTER_S = 2
FILES = {"input": "inputs", "output": "files"}  # an upload and an output may have one name
NEW: dict[str, Any] = {
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


def moment(time: datetime | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None


def second(time: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second, as ticks are."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else None


def request(row: Mapping[Any, Any], files: Sequence[RequestFile]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "function": row["function"],
        "status": row["status"],
        "phase": row["phase"],
        "progress": {"fraction": row["progress_fraction"], "message": row["progress_message"]},
        "event": row["event"],
        "attempt": row["attempt"],
        "max_attempts": row["max_attempts"],
        "job_id": row["job_id"],
        "queue": row["queue"],
        "schedule": row["schedule"],
        "scheduled_for": moment(row["scheduled_for"]),
        "created_at": moment(row["created_at"]),
        "available_at": moment(row["available_at"]),
        "started_at": moment(row["started_at"]),
        "finished_at": moment(row["finished_at"]),
        "error_type": row["error_type"],
        "error_message": row["error_message"],
        "cancel_requested": row["cancel_requested"],
        "cancelled": is_cancelled(row),
        "worker": row["worker"],
        "files": [file(row["id"], found) for found in files],
        "links": links(row["id"]),
    }


def accepted(request_: NewRequest) -> dict[str, Any]:
    """A request as it was stored a moment ago; to read it back would cost as much as storing it."""
    row = NEW | request_.row(None) | {"event": JsonText.of(request_.event)}
    return request(row, [RequestFile("input", **asdict(found)) for found in request_.files])


def links(request_id: object) -> dict[str, str]:
    base = f"/api/requests/{request_id}"
    return {"self": base} | {name: f"{base}/{name}" for name in ("result", "attempts", "logs", "cancel", "retry")}


def file(request_id: object, found: RequestFile) -> dict[str, Any]:
    return {
        "name": found.name,
        "kind": found.kind,
        "filename": found.filename,
        "size": found.size,
        "content_type": found.content_type,
        "sha256": found.sha256,
        "href": f"/api/requests/{request_id}/{FILES[found.kind]}/{quote(found.name, safe='')}",
    }


def result(row: Mapping[Any, Any], files: Sequence[RequestFile]) -> dict[str, Any]:
    return {
        "request_id": str(row["request_id"]),
        "data": row["data"],
        "files": [file(row["request_id"], found) for found in files],
        "created_at": moment(row["created_at"]),
    }


HIDDEN_OF_ATTEMPTS = ("request_id", "current_lines")  # the latter is part of the logs


def attempt(row: Mapping[Any, Any]) -> dict[str, Any]:
    shown = {str(name): value for name, value in row.items() if name not in HIDDEN_OF_ATTEMPTS}
    return shown | {
        "started_at": moment(row["started_at"]),
        "finished_at": moment(row["finished_at"]),
        "phases": [phase(entry) for entry in row["phases"]],
    }


def phase(entry: dict[str, Any]) -> dict[str, Any]:
    times = {
        name: moment(datetime.fromisoformat(entry[name])) for name in ("started_at", "finished_at") if name in entry
    }
    return entry | times


def function(found: FunctionSpec, failure: ImportFailure | None) -> dict[str, Any]:
    return {
        "name": found.name,
        "description": found.description,
        "queue": found.queue,
        "timeout_s": found.timeout_s,
        "max_attempts": found.max_attempts,
        "memory_mb": found.memory_mb,
        "network": found.network,
        "input_schema": found.input_schema,
        "source_file": found.source_file,
        "source_line": found.source_line,
        "module": found.module,
        "error": import_failure(failure) if failure else None,
    }


def import_failure(failure: ImportFailure) -> dict[str, Any]:
    return {
        "source_file": failure.source_file,
        "error_type": failure.error_type,
        "error_message": failure.error_message,
        "traceback": failure.traceback,
    }


def schedule(found: ScheduleDetails) -> dict[str, Any]:
    row = found.schedule
    return {
        "name": row.name,
        "function": row.function,
        "event": row.event,
        "expression": row.expression,
        "timezone": row.timezone,
        "enabled": row.enabled,
        "start_at": second(row.start_at),
        "end_at": second(row.end_at),
        "max_runs": row.max_runs,
        "misfire": row.misfire,
        "misfire_grace_s": row.misfire_grace_s,
        "overlap": row.overlap,
        "queue": row.queue,
        "description": row.description,
        "declared": row.declared,
        "next_run_at": second(row.next_run_at),
        "last_run_at": moment(row.last_run_at),
        "total_runs": row.total_runs,
        "last_request": _last_request(found),
        "error": row.error,
    }


def _last_request(found: ScheduleDetails) -> dict[str, Any] | None:
    if found.last_status is None:
        return None
    return {
        "id": str(found.schedule.last_request_id),
        "status": found.last_status,
        "cancelled": found.is_last_cancelled,
    }


def is_live(status: str) -> bool:
    return Status(status) in LIVE
