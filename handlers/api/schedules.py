"""/api/schedules: rows that make requests at their times; seen, edited, run."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers.api import request_response
from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import invalid_field
from handlers.openapi import schemas_requests
from handlers.openapi.bodies import Body
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Header, Link, json_answer, operation
from handlers.security.authentication import audit_entry, require
from handlers.serializers import resources, visibility
from handlers.services import Services, get_services
from workqueue import event_json
from workqueue.audit import Action
from workqueue.auth.permissions import Permission
from workqueue.schedules import edits, queries
from workqueue.schedules.queries import preview_ticks
from workqueue.schedules.validation import Rules

blueprint = Blueprint("schedules", __name__, url_prefix="/api/schedules")

MAX_TIMES = 1000
OVERHEAD = 64 * 1024  # of a body: everything but the event

PATH = {"name": schemas_requests.NAME}
BODY_ERRORS = (400, 413, 415)
EXAMPLE = {"name": "report", "function": "profile_csv", "expression": "0 8 * * MON-FRI", "event": {"csv": "a,b\n1,2"}}
LINKED_VIEWS = ("show", "change", "run", "next_times", "delete")
LINKS = {name: Link(f"schedules.{name}", {"name": "$response.body#/name"}) for name in LINKED_VIEWS}


@blueprint.get("")
@require(Permission.READ)
@operation("List schedules", json_answer(schemas_requests.SCHEDULES, "All, by name."))
def show_all() -> Response:
    return jsonify(items=[resources.schedule(found) for found in queries.list_schedules(get_services().engine)])


@blueprint.post("")
@require(Permission.MANAGE)
@operation(
    "Create a schedule",
    json_answer(
        visibility.SCHEDULE.schema,
        "The schedule.",
        status=201,
        headers=(Header("Location", string(), "the address of the schedule"),),
        links=LINKS,
    ),
    body=Body({"application/json": schemas_requests.NEW_SCHEDULE}, examples={"weekdays": EXAMPLE}),
    refuses=(409, *BODY_ERRORS),
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
    "Foretell the times of a schedule that is not stored",
    json_answer(schemas_requests.TIMES, "The next times of what is being written."),
    query={"count": query.integer(1, MAX_TIMES).described("so many; 10 unless given")},
    body=Body(
        {"application/json": schemas_requests.SCHEDULE_TIMES}, examples={"weekdays": {"expression": "0 8 * * MON-FRI"}}
    ),
    refuses=BODY_ERRORS,
)
def preview(params: dict[str, Any]) -> Response:
    services = get_services()
    times = preview_ticks(_read_body(services), services.clock.now(), params["count"] or 10)
    return jsonify(times=[resources.second(time) for time in times])


@blueprint.get("/<name>")
@require(Permission.READ)
@operation(
    "Show a schedule", json_answer(schemas_requests.SCHEDULE, "The schedule.", links=LINKS), path=PATH, refuses=(404,)
)
def show(name: str) -> Response:
    return _show(get_services(), name)


@blueprint.patch("/<name>")
@require(Permission.MANAGE)
@operation(
    "Change a schedule",
    json_answer(visibility.SCHEDULE.schema, "The schedule as it is now.", links=LINKS),
    path=PATH,
    body=Body({"application/json": schemas_requests.SCHEDULE_CHANGE}, examples={"pause": {"enabled": False}}),
    refuses=(404, *BODY_ERRORS),
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
@operation("Delete a schedule", Answer(204, "It is gone; its requests stay."), path=PATH, refuses=(404, 409))
def delete(name: str) -> tuple[str, int]:
    edits.delete(get_services().engine, name, audit_entry(Action.SCHEDULE_DELETE, name))
    return "", 204


@blueprint.post("/<name>/run")
@require(Permission.OPERATE)
@operation(
    "Run a schedule now",
    json_answer(
        visibility.REQUEST.schema,
        "A request, whatever the schedule's times say.",
        status=202,
        headers=(Header("Location", string(), "the address of the request"), request_response.RETRY_AFTER),
        links=request_response.LINKS,
    ),
    path=PATH,
    refuses=(404,),
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
    "Foretell a schedule's times",
    json_answer(schemas_requests.TIMES, "The next times; those of a disabled one as if it were enabled."),
    path=PATH,
    query={"count": query.integer(1, MAX_TIMES).described("so many; 10 unless given")},
    refuses=(404,),
)
def next_times(name: str, params: dict[str, Any]) -> Response:
    count = params["count"] or 10
    services = get_services()
    found = queries.find(services.engine, name).schedule
    times = queries.next_times(found, services.clock.now(), count)
    return jsonify(times=[resources.second(time) for time in times])


def _read_body(services: Services) -> Any:
    limit = services.limits.max_event_bytes + OVERHEAD
    body = uploads.read_json_body(limit)
    if not body:
        raise invalid_field("body", "an object with the schedule's fields is needed")
    return event_json.parse(body, limit)


def _rules(services: Services) -> Rules:
    return edits.load_rules(services.engine, services.limits.queues, services.limits.max_event_bytes)


def _show(services: Services, name: str) -> Response:
    return jsonify(visibility.SCHEDULE.of(resources.schedule(queries.find(services.engine, name))))
