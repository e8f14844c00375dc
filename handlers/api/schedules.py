"""/api/schedules: list, create, change, run and delete schedules, and preview their times."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers.api import request_response
from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import invalid_field
from handlers.openapi.component import format_second
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Body, Header, Link, json_answer, operation
from handlers.resources import functions, schedules, visibility
from handlers.security.authentication import audit_entry, require
from handlers.services import Services, get_services
from workqueue import event_json
from workqueue.audit import Action
from workqueue.auth.permissions import Permission
from workqueue.schedules import edits, queries
from workqueue.schedules.queries import preview_ticks
from workqueue.schedules.validation import Rules

blueprint = Blueprint("schedules", __name__, url_prefix="/api/schedules")

MAX_TIMES = 1000
OVERHEAD = 64 * 1024  # bytes of a body beside the event

PATH = {"name": functions.NAME}
BODY_ERRORS = (400, 413, 415)
EXAMPLE = {"name": "report", "function": "profile_csv", "expression": "0 8 * * MON-FRI", "event": {"csv": "a,b\n1,2"}}
LINKED_VIEWS = ("show", "change", "run", "next_times", "delete")
LINKS = {name: Link(f"schedules.{name}", {"name": "$response.body#/name"}) for name in LINKED_VIEWS}


@blueprint.get("")
@require(Permission.READ)
@operation("List schedules", json_answer(schedules.SCHEDULES, "All schedules, by name."))
def show_all() -> Response:
    return jsonify(
        items=[schedules.serialize_schedule(schedule) for schedule in queries.list_schedules(get_services().engine)]
    )


@blueprint.post("")
@require(Permission.MANAGE)
@operation(
    "Create a schedule",
    json_answer(
        visibility.SCHEDULE.schema,
        "The schedule.",
        status=201,
        headers=(Header("Location", string(), "the path of the schedule"),),
        links=LINKS,
    ),
    body=Body({"application/json": schedules.NEW_SCHEDULE}, examples={"weekdays": EXAMPLE}),
    errors=(409, *BODY_ERRORS),
)
def create() -> tuple[Response, int, dict[str, str]]:
    services = get_services()
    name = edits.create(
        services.engine,
        _read_body(services),
        _rules(services),
        services.clock.now(),
        audit_entry(Action.SCHEDULE_CREATE),
    )
    return _show(services, name), 201, {"Location": f"/api/schedules/{name}"}


@blueprint.post("/preview")
@require(Permission.READ)
@operation(
    "Preview the times of a schedule before it is created",
    json_answer(schedules.TIMES, "The next times."),
    query={"count": query.integer(1, MAX_TIMES).described("how many times; default: 10")},
    body=Body({"application/json": schedules.SCHEDULE_TIMES}, examples={"weekdays": {"expression": "0 8 * * MON-FRI"}}),
    errors=BODY_ERRORS,
)
def preview(params: dict[str, Any]) -> Response:
    services = get_services()
    times = preview_ticks(_read_body(services), services.clock.now(), params["count"] or 10)
    return jsonify(times=[format_second(time) for time in times])


@blueprint.get("/<name>")
@require(Permission.READ)
@operation("Show a schedule", json_answer(schedules.SCHEDULE, "The schedule.", links=LINKS), path=PATH, errors=(404,))
def show(name: str) -> Response:
    return _show(get_services(), name)


@blueprint.patch("/<name>")
@require(Permission.MANAGE)
@operation(
    "Change a schedule",
    json_answer(visibility.SCHEDULE.schema, "The changed schedule.", links=LINKS),
    path=PATH,
    body=Body({"application/json": schedules.SCHEDULE_CHANGE}, examples={"pause": {"enabled": False}}),
    errors=(404, *BODY_ERRORS),
)
def change(name: str) -> Response:
    services = get_services()
    edits.change(
        services.engine,
        name,
        _read_body(services),
        _rules(services),
        services.clock.now(),
        audit_entry(Action.SCHEDULE_CHANGE, name),
    )
    return _show(services, name)


@blueprint.delete("/<name>")
@require(Permission.MANAGE)
@operation(
    "Delete a schedule", Answer(204, "The schedule is deleted; its requests stay."), path=PATH, errors=(404, 409)
)
def delete(name: str) -> tuple[str, int]:
    edits.delete(get_services().engine, name, audit_entry(Action.SCHEDULE_DELETE, name))
    return "", 204


@blueprint.post("/<name>/run")
@require(Permission.OPERATE)
@operation(
    "Run a schedule now",
    json_answer(
        visibility.REQUEST.schema,
        "The request, created outside the times of the schedule.",
        status=202,
        headers=(Header("Location", string(), "the path of the request"), request_response.RETRY_AFTER),
        links=request_response.LINKS,
    ),
    path=PATH,
    errors=(404,),
)
def run(name: str) -> tuple[Response, int]:
    services = get_services()
    services.check_disk_space()
    request_id = edits.run_now(
        services.engine, services.doorbell, services.clock, name, audit_entry(Action.SCHEDULE_RUN, name)
    )
    answer = request_response.respond(services, request_id)
    answer.headers["Location"] = f"/api/requests/{request_id}"
    return answer, 202


@blueprint.get("/<name>/next")
@require(Permission.READ)
@operation(
    "Preview the times of a schedule",
    json_answer(schedules.TIMES, "The next times. A disabled schedule shows the times that it would have."),
    path=PATH,
    query={"count": query.integer(1, MAX_TIMES).described("how many times; default: 10")},
    errors=(404,),
)
def next_times(name: str, params: dict[str, Any]) -> Response:
    count = params["count"] or 10
    services = get_services()
    schedule = queries.find(services.engine, name).schedule
    times = queries.next_times(schedule, services.clock.now(), count)
    return jsonify(times=[format_second(time) for time in times])


def _read_body(services: Services) -> Any:
    limit = services.limits.max_event_bytes + OVERHEAD
    body = uploads.read_json_body(limit)
    if not body:
        raise invalid_field("body", "is empty; send an object with the fields of the schedule")
    return event_json.parse(body, limit)


def _rules(services: Services) -> Rules:
    return edits.load_rules(services.engine, services.limits.queues, services.limits.max_event_bytes)


def _show(services: Services, name: str) -> Response:
    return jsonify(visibility.SCHEDULE.filter(schedules.serialize_schedule(queries.find(services.engine, name))))
