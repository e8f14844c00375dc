"""GET and POST of /api/functions: what there is to call, and calling it."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from handlers.api import request_response
from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import invalid_field
from handlers.openapi import schemas_requests
from handlers.openapi.bodies import Body
from handlers.openapi.json_schema import array, string
from handlers.openapi.operation import Header, Link, json_answer, operation
from handlers.security.authentication import require
from handlers.serializers import resources
from handlers.services import Services, get_services
from workqueue.auth.permissions import Permission
from workqueue.files.store import remove_if_possible
from workqueue.functions import registry
from workqueue.submit import Submission, SubmitResult, submit
from workqueue.telemetry import trace_context

blueprint = Blueprint("functions", __name__, url_prefix="/api/functions")

MAX_BATCH = 10_000
MAX_KEY_CHARACTERS = 255

QUERY = {
    "delay_s": query.delay_s.described("run it no earlier than so many seconds from now"),
    "run_at": query.date_time.described("run it no earlier than at this time, at most 366 days from now"),
    "queue": query.search_text.described("another queue than the function's own"),
}
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    string(minLength=1, maxLength=MAX_KEY_CHARACTERS),
    "the same key and body within 24 h: the first request, or batch, is answered again; another body: 409. Bodies are "
    "compared as JSON values: white space, order of keys and escapes do not count, the digits of numbers do",
)
IDEMPOTENT_REPLAYED = Header(
    "Idempotent-Replayed", string(enum=["true"]), "this key was used before: the first answer again"
)
PREFERENCE_APPLIED = Header(
    "Preference-Applied", string(examples=["wait=2"]), "that the server did wait; absent when too many wait already"
)
TRACEPARENT = Header("traceparent", string(), "W3C Trace Context: the trace that the request is to be part of")
LOCATION = Header("Location", string(), "the address of the request")
EVENT = Body(
    {
        "application/json": {"description": "the event: any JSON value"},
        "multipart/form-data": {
            "type": "object",
            "description": "`event` is JSON; every other part is a file with a filename",
            "properties": {"event": string(contentMediaType="application/json")},
            "additionalProperties": {"type": "string", "contentMediaType": "application/octet-stream"},
        },
    },
    "An empty body is the event `{}`. `Content-Encoding: gzip` is taken; the limits hold for both sizes.",
    is_required=False,
)
BATCH = Body({"application/json": array({}, "events", minItems=1, maxItems=MAX_BATCH)})


@blueprint.get("")
@require(Permission.READ)
@operation(
    "List the functions",
    json_answer(
        schemas_requests.FUNCTIONS,
        "All functions, the code that could not be imported, and the files that are not discovered.",
    ),
)
def show_all() -> Response:
    found = registry.read_registry(get_services().engine)
    failures = {failure.unit: failure for failure in found.failures}
    return jsonify(
        items=[resources.function(function, failures.get(function.unit)) for function in found.functions],
        errors=[resources.import_failure(failure) for failure in found.failures],
        skipped=[asdict(file) for file in found.skipped],
    )


@blueprint.get("/<name>")
@require(Permission.FOLLOW)
@operation(
    "Show a function",
    json_answer(
        schemas_requests.FUNCTION,
        "The function.",
        links={"invoke": Link("functions.invoke", {"name": "$response.body#/name"})},
    ),
    refuses=(404,),
)
def show(name: str) -> Response:
    function = registry.find(get_services().engine, name)
    found = registry.read_registry(get_services().engine)
    failure = next((failure for failure in found.failures if failure.unit == function.unit), None)
    return jsonify(resources.function(function, failure))


@blueprint.post("/<name>")
@require(Permission.INVOKE)
@operation(
    "Call a function",
    json_answer(
        schemas_requests.REQUEST,
        "The request is stored and will finish.",
        status=202,
        headers=(LOCATION, request_response.RETRY_AFTER, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED),
        links=request_response.LINKS,
    ),
    json_answer(
        schemas_requests.ENDED,
        "It ended while the client was willing to wait.",
        headers=(LOCATION, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED),
        links=request_response.LINKS,
    ),
    query=QUERY,
    headers=(
        IDEMPOTENCY_KEY,
        TRACEPARENT,
        Header("Prefer", string(examples=["wait=2"]), "wait=N: answer when it has ended, or after N s (1-60)"),
    ),
    body=EVENT,
    refuses=(400, 404, 409, 413, 415),
)
def invoke(name: str, params: dict[str, Any]) -> Response:
    services = get_services()
    began = services.clock.now()
    function = registry.find(services.engine, name)
    _check_times(params, began)
    _check_queue(services, params["queue"] or function.queue)
    services.check_disk_space()
    request_id = uuid7()
    posted = uploads.read_invocation(services, request_id)
    order = Submission(
        function=function,
        events=[posted.event],
        id=request_id,
        files=posted.files,
        queue=params["queue"],
        available_at=_available_at(services, params),
        idempotency_key=_idempotency_key(),
        traceparent=trace_context.valid_traceparent(request.headers.get("traceparent")),
    )
    try:
        result = submit(services.engine, services.doorbell, services.clock, order)
    except SQLAlchemyError:
        raise  # it may be stored although the answer was lost: files that belong to nothing are swept
    except BaseException:
        remove_if_possible(services.store, request_id)
        raise
    _trace(services, order, result, began)
    if result.replayed:
        remove_if_possible(services.store, request_id)
    return _respond(services, result)


@blueprint.post("/<name>/batch")
@require(Permission.INVOKE)
@operation(
    "Call a function with many events",
    json_answer(
        schemas_requests.BATCH,
        "All are stored, or none.",
        status=202,
        headers=(IDEMPOTENT_REPLAYED,),
        links={"first": Link("requests.show", {"id": "$response.body#/ids/0"})},
    ),
    query=QUERY,
    headers=(IDEMPOTENCY_KEY, TRACEPARENT),
    body=BATCH,
    refuses=(400, 404, 409, 413, 415),
)
def invoke_batch(name: str, params: dict[str, Any]) -> Response:
    services = get_services()
    began = services.clock.now()
    function = registry.find(services.engine, name)
    _check_times(params, began)
    _check_queue(services, params["queue"] or function.queue)
    services.check_disk_space()
    batch = uploads.read_batch(services, MAX_BATCH)
    order = Submission(
        function,
        batch,
        queue=params["queue"],
        available_at=_available_at(services, params),
        idempotency_key=_idempotency_key(),
        is_batch=True,
        traceparent=trace_context.valid_traceparent(request.headers.get("traceparent")),
    )
    result = submit(services.engine, services.doorbell, services.clock, order)
    _trace(services, order, result, began)
    answer = jsonify(ids=[str(id) for id in result.ids])
    answer.status_code = 202
    return _mark_replayed(answer, result)


def _mark_replayed(answer: Response, result: SubmitResult) -> Response:
    if result.replayed:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


def _trace(services: Services, order: Submission, result: SubmitResult, began: datetime) -> None:
    if services.tracer is not None:
        ended = services.clock.now()
        for request_ in result.accepted:
            services.tracer.submitted(request_.id, order.function.name, order.traceparent, began, ended)


def _check_times(params: dict[str, Any], now: datetime) -> None:
    """Refuse two times, and a time that lies further ahead than delay_s may. Raises 422."""
    run_at, latest = params["run_at"], now + timedelta(seconds=query.MAX_DELAY_S)
    if run_at is not None and params["delay_s"] is not None:
        raise invalid_field("run_at", "give either delay_s or run_at")
    if run_at is not None and run_at > latest:
        raise invalid_field("run_at", f"lies too far ahead; the latest time is {resources.second(latest)}")


def _available_at(services: Services, params: dict[str, Any]) -> datetime | None:
    """Return the time that delay_s or run_at names; None for now."""
    if params["delay_s"] is not None:
        return services.clock.now() + timedelta(seconds=params["delay_s"])
    run_at: datetime | None = params["run_at"]
    return run_at


def _check_queue(services: Services, queue: str) -> None:
    """Accepted means it will finish: what no worker serves is not accepted."""
    if queue not in services.limits.queues:
        served = ", ".join(services.limits.queues)
        raise invalid_field("queue", f"no worker serves {queue!r}; LOCALFN_QUEUES names {served}")


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= MAX_KEY_CHARACTERS and key.isprintable()):
        raise invalid_field("Idempotency-Key", f"1 to {MAX_KEY_CHARACTERS} printable characters are needed")
    return key


def _respond(services: Services, result: SubmitResult) -> Response:
    """202 with the request, or 200 with its result when it ended while the client was willing to wait."""
    request_id = result.ids[0]
    wait_s = query.preferred_wait_s(request.headers.get("Prefer", ""))
    ended, waited = (
        request_response.wait_until_ended(services, request_id, wait_s) if wait_s is not None else (None, False)
    )
    if ended is not None:
        answer = request_response.json_response(ended)
    elif result.accepted and wait_s is None:
        answer = request_response.json_response(resources.accepted(result.accepted[0]))
    else:
        answer = request_response.respond(services, request_id)
    answer.status_code = 202 if ended is None else 200
    answer.headers["Location"] = f"/api/requests/{request_id}"
    if ended is None:
        answer.headers["Retry-After"] = str(resources.RETRY_AFTER_S)
    if waited:
        answer.headers["Preference-Applied"] = f"wait={wait_s}"
    return _mark_replayed(answer, result)
