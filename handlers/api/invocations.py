"""POST /api/functions/{name} and …/batch: submit requests."""

from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from handlers.api import request_response
from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import invalid_field
from handlers.openapi.component import format_second
from handlers.openapi.json_schema import array, string
from handlers.openapi.operation import Body, Header, Link, json_answer, operation
from handlers.resources import requests
from handlers.security.authentication import require
from handlers.services import Services, get_services
from workqueue.auth.permissions import Permission
from workqueue.files.store import remove_if_possible
from workqueue.functions.registry import FunctionSpec
from workqueue.submit import Submission, SubmitResult
from workqueue.telemetry import trace_context
from workqueue.transport.change_listener import Waiter

blueprint = Blueprint("invocations", __name__, url_prefix="/api/functions")

MAX_BATCH = 10_000
MAX_KEY_CHARACTERS = 255

QUERY = {
    "delay_s": query.delay_s.described("seconds to wait before the request may start"),
    "run_at": query.date_time.described("the earliest start, at most 366 days ahead; not with delay_s"),
    "queue": query.search_text.described("the queue; default: the queue of the function"),
}
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    string(minLength=1, maxLength=MAX_KEY_CHARACTERS),
    "A repeated key with the same body returns the first request or batch for 24 h; another body is answered with 409. "
    "Bodies are compared as JSON values: white space, key order and escapes do not matter, the digits of numbers do.",
)
IDEMPOTENT_REPLAYED = Header(
    "Idempotent-Replayed", string(enum=["true"]), "present if an earlier call with this key created the request"
)
PREFERENCE_APPLIED = Header(
    "Preference-Applied", string(examples=["wait=2"]), "present if the server waited; absent if too many clients wait"
)
TRACEPARENT = Header("traceparent", string(), "W3C Trace Context: the trace that the request joins")
PREFER = Header("Prefer", string(examples=["wait=2"]), "wait=N: answer when the request ends, or after N s (1 to 60)")
LOCATION = Header("Location", string(), "the path of the request")
EVENT = Body(
    {
        "application/json": {"description": "The event: any JSON value."},
        "multipart/form-data": {
            "type": "object",
            "description": "The part `event` is JSON; every other part is a file with a filename.",
            "properties": {"event": string(contentMediaType="application/json")},
            "additionalProperties": {"type": "string", "contentMediaType": "application/octet-stream"},
        },
    },
    "An empty body is the event `{}`. `Content-Encoding: gzip` is supported; the size limits apply to the compressed "
    "and to the decompressed body.",
    is_required=False,
)
BATCH = Body({"application/json": array({}, "The events.", minItems=1, maxItems=MAX_BATCH)})


@blueprint.post("/<name>")
@require(Permission.INVOKE)
@operation(
    "Invoke a function",
    json_answer(
        requests.REQUEST,
        "The request is stored and will run.",
        status=202,
        headers=(LOCATION, request_response.RETRY_AFTER, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED),
        links=request_response.LINKS,
    ),
    json_answer(
        requests.ENDED_REQUEST,
        "The request ended within the time of `Prefer: wait`.",
        headers=(LOCATION, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED),
        links=request_response.LINKS,
    ),
    query=QUERY,
    headers=(IDEMPOTENCY_KEY, TRACEPARENT, PREFER),
    body=EVENT,
    errors=(400, 404, 409, 413, 415),
)
def invoke(name: str, params: dict[str, Any]) -> Response:
    services = get_services()
    started_at = services.clock.now()
    function = _check_submission(services, name, params, started_at)
    request_id = uuid7()
    invocation = uploads.read_invocation(services, request_id)
    submission = Submission(
        function=function,
        events=[invocation.event],
        id=request_id,
        files=invocation.files,
        queue=params["queue"],
        available_at=_available_at(services, params),
        idempotency_key=_idempotency_key(),
        traceparent=trace_context.valid_traceparent(request.headers.get("traceparent")),
    )
    wait_s = query.preferred_wait_s(request.headers.get("Prefer", ""))
    # Entered before the ring, so that no announcement is missed and the request need not be read before the first.
    with services.changes.enter(request_id) if wait_s and query.has_thread_to_wait() else nullcontext() as waiter:
        result = _submit(services, submission)
        _trace(services, submission, result, started_at)
        if result.replayed:
            remove_if_possible(services.store, request_id)
        return _respond(services, result, waiter, wait_s)


@blueprint.post("/<name>/batch")
@require(Permission.INVOKE)
@operation(
    "Invoke a function with many events",
    json_answer(
        requests.ACCEPTED_BATCH,
        "All requests are stored. An error stores none.",
        status=202,
        headers=(IDEMPOTENT_REPLAYED,),
        links={"first": Link("requests.show", {"id": "$response.body#/ids/0"})},
    ),
    query=QUERY,
    headers=(IDEMPOTENCY_KEY, TRACEPARENT),
    body=BATCH,
    errors=(400, 404, 409, 413, 415),
)
def invoke_batch(name: str, params: dict[str, Any]) -> Response:
    services = get_services()
    started_at = services.clock.now()
    function = _check_submission(services, name, params, started_at)
    submission = Submission(
        function,
        uploads.read_batch(services, MAX_BATCH),
        queue=params["queue"],
        available_at=_available_at(services, params),
        idempotency_key=_idempotency_key(),
        is_batch=True,
        traceparent=trace_context.valid_traceparent(request.headers.get("traceparent")),
    )
    result = services.submitter.submit(submission)
    _trace(services, submission, result, started_at)
    answer = jsonify(ids=[str(id) for id in result.ids])
    answer.status_code = 202
    return _mark_replayed(answer, result)


def _check_submission(services: Services, name: str, params: dict[str, Any], now: datetime) -> FunctionSpec:
    """Return the function. Raises 404, 422 for the query, and 507 for a full disk."""
    function = services.functions.find(name)
    _check_times(params, now)
    _check_queue(services, params["queue"] or function.queue)
    services.check_disk_space()
    return function


def _check_times(params: dict[str, Any], now: datetime) -> None:
    """Reject both times together, and a time further ahead than delay_s may be. Raises 422."""
    run_at, latest = params["run_at"], now + timedelta(seconds=query.MAX_DELAY_S)
    if run_at is not None and params["delay_s"] is not None:
        raise invalid_field("run_at", "cannot be combined with delay_s; send one of them")
    if run_at is not None and run_at > latest:
        raise invalid_field(
            "run_at", f"{format_second(run_at)} is too far ahead; the latest time is {format_second(latest)}"
        )


def _check_queue(services: Services, queue: str) -> None:
    """Reject a queue that no worker serves: its requests would never run. Raises 422."""
    if queue not in services.limits.queues:
        served = ", ".join(services.limits.queues)
        raise invalid_field("queue", f"no worker serves {queue!r}; use one of {served}, or change LOCALFN_QUEUES")


def _available_at(services: Services, params: dict[str, Any]) -> datetime | None:
    """Return the time that delay_s or run_at gives; None without both."""
    if params["delay_s"] is not None:
        return services.clock.now() + timedelta(seconds=params["delay_s"])
    run_at: datetime | None = params["run_at"]
    return run_at


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= MAX_KEY_CHARACTERS and key.isprintable()):
        reason = f"{query.quote(key)} is not valid; use 1 to {MAX_KEY_CHARACTERS} printable characters"
        raise invalid_field("Idempotency-Key", reason)
    return key


def _trace(services: Services, submission: Submission, result: SubmitResult, started_at: datetime) -> None:
    if services.tracer is not None:
        ended_at = services.clock.now()
        for accepted in result.accepted:
            services.tracer.submitted(
                accepted.id, submission.function.name, submission.traceparent, started_at, ended_at
            )


def _submit(services: Services, submission: Submission) -> SubmitResult:
    try:
        return services.submitter.submit(submission)
    except SQLAlchemyError:
        raise  # the request may be stored although the answer was lost; the cleaner deletes files without a request
    except BaseException:
        remove_if_possible(services.store, submission.id)
        raise


def _respond(services: Services, result: SubmitResult, waiter: Waiter | None, wait_s: int | None) -> Response:
    """Return 202 with the request, or 200 with its result if it ended while the client waited."""
    request_id = result.ids[0]
    ended = _wait_until_ended(services, result, waiter, wait_s)
    if ended is not None:
        answer = request_response.json_response(ended)
    elif result.accepted and waiter is None:
        answer = request_response.json_response(requests.serialize_accepted(result.accepted[0]))
    else:
        answer = request_response.respond(services, request_id)
    answer.status_code = 202 if ended is None else 200
    answer.headers["Location"] = f"/api/requests/{request_id}"
    if ended is None:
        answer.headers["Retry-After"] = str(requests.RETRY_AFTER_S)
    if waiter is not None:
        answer.headers["Preference-Applied"] = f"wait={wait_s}"
    return _mark_replayed(answer, result)


def _wait_until_ended(
    services: Services, result: SubmitResult, waiter: Waiter | None, wait_s: int | None
) -> dict[str, Any] | None:
    """Return the request with its result; None if it has not ended in time. waiter: None if the client cannot wait."""
    request_id = result.ids[0]
    if wait_s is None or (waiter is None and result.accepted):
        return None
    read_ended = partial(request_response.read_ended, services, request_id)
    if waiter is None:
        return read_ended()
    if result.replayed:
        waiter.move_to(request_id)
    return waiter.wait_for(read_ended, wait_s, poll_first=result.replayed)


def _mark_replayed(answer: Response, result: SubmitResult) -> Response:
    if result.replayed:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer
