"""/api/schedules: rows that make requests at their times; seen, edited, run."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers.api import request_response
from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import unprocessable
from handlers.openapi import schemas_requests
from handlers.openapi.bodies import Body
from handlers.openapi.json_schema import text
from handlers.openapi.operation import Answer, Header, Link, json_answer, operation
from handlers.security.authentication import act, require
from handlers.serializers import resources, visibility
from handlers.services import Services, services
from workqueue import event_json
from workqueue.audit import Action
from workqueue.auth.permissions import Permission
from workqueue.schedules import edits, queries
from workqueue.schedules.previewing import preview_of
from workqueue.schedules.validation import Rules

blueprint = Blueprint("schedules", __name__, url_prefix="/api/schedules")

MOST_TIMES = 1000
OVERHEAD = 64 * 1024  # of a body: everything but the event

PATH = {"name": schemas_requests.NAME}
BODY_ERRORS = (400, 413, 415)
EXAMPLE = {"name": "report", "function": "profile_csv", "expression": "0 8 * * MON-FRI", "event": {"csv": "a,b\n1,2"}}
FOLLOWING = ("show", "change", "run", "next_times", "delete")
LINKS = {name: Link(f"schedules.{name}", {"name": "$response.body#/name"}) for name in FOLLOWING}


@blueprint.get("")
@require(Permission.READ)
@operation("List schedules", json_answer(schemas_requests.SCHEDULES, "All, by name."))
def show_all() -> Response:
    return jsonify(items=[resources.schedule(found) for found in queries.list_schedules(services().engine)])


@blueprint.post("")
@require(Permission.MANAGE)
@operation(
    "Create a schedule",
    json_answer(
        visibility.SCHEDULE.schema,
        "The schedule.",
        status=201,
        headers=(Header("Location", text(), "the address of the schedule"),),
        links=LINKS,
    ),
    body=Body({"application/json": schemas_requests.NEW_SCHEDULE}, examples={"weekdays": EXAMPLE}),
    refuses=(409, *BODY_ERRORS),
)
def create() -> tuple[Response, int, dict[str, str]]:
    here = services()
    name = edits.create(here.engine, _body(here), _rules(here), here.clock.now(), act(Action.SCHEDULE_CREATE))
    return _shown(here, name), 201, {"Location": f"/api/schedules/{name}"}


@blueprint.post("/preview")
@require(Permission.READ)
@operation(
    "Foretell the times of a schedule that is not stored",
    json_answer(schemas_requests.TIMES, "The next times of what is being written."),
    query={"count": query.whole(1, MOST_TIMES).about("so many; 10 unless given")},
    body=Body(
        {"application/json": schemas_requests.SCHEDULE_TIMES}, examples={"weekdays": {"expression": "0 8 * * MON-FRI"}}
    ),
    refuses=BODY_ERRORS,
)
def preview(wanted: dict[str, Any]) -> Response:
    here = services()
    times = preview_of(_body(here), here.clock.now(), wanted["count"] or 10)
    return jsonify(times=[resources.second(time) for time in times])


@blueprint.get("/<name>")
@require(Permission.READ)
@operation(
    "Show a schedule", json_answer(schemas_requests.SCHEDULE, "The schedule.", links=LINKS), path=PATH, refuses=(404,)
)
def show(name: str) -> Response:
    return _shown(services(), name)


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
    here = services()
    edits.change(here.engine, name, _body(here), _rules(here), here.clock.now(), act(Action.SCHEDULE_CHANGE, name))
    return _shown(here, name)


@blueprint.delete("/<name>")
@require(Permission.MANAGE)
@operation("Delete a schedule", Answer(204, "It is gone; its requests stay."), path=PATH, refuses=(404, 409))
def delete(name: str) -> tuple[str, int]:
    edits.delete(services().engine, name, act(Action.SCHEDULE_DELETE, name))
    return "", 204


@blueprint.post("/<name>/run")
@require(Permission.OPERATE)
@operation(
    "Run a schedule now",
    json_answer(
        visibility.REQUEST.schema,
        "A request, whatever the schedule's times say.",
        status=202,
        headers=(Header("Location", text(), "the address of the request"), request_response.RETRY_AFTER),
        links=request_response.LINKS,
    ),
    path=PATH,
    refuses=(404,),
)
def run(name: str) -> tuple[Response, int]:
    here = services()
    here.check_disk_space()
    request_id = edits.run_now(here.engine, here.doorbell, here.clock, name, act(Action.SCHEDULE_RUN, name))
    answer = request_response.respond(here, request_id)
    answer.headers["Location"] = f"/api/requests/{request_id}"
    return answer, 202


@blueprint.get("/<name>/next")
@require(Permission.READ)
@operation(
    "Foretell a schedule's times",
    json_answer(schemas_requests.TIMES, "The next times; those of a disabled one as if it were enabled."),
    path=PATH,
    query={"count": query.whole(1, MOST_TIMES).about("so many; 10 unless given")},
    refuses=(404,),
)
def next_times(name: str, wanted: dict[str, Any]) -> Response:
    count = wanted["count"] or 10
    here = services()
    found = queries.find(here.engine, name).schedule
    times = queries.next_times(found, here.clock.now(), count)
    return jsonify(times=[resources.second(time) for time in times])


def _body(here: Services) -> Any:
    limit = here.limits.max_event_bytes + OVERHEAD
    body = uploads.json_body(limit)
    if not body:
        raise unprocessable("body", "an object with the schedule's fields is needed")
    return event_json.parse(body, limit)


def _rules(here: Services) -> Rules:
    return edits.load_rules(here.engine, here.limits.queues, here.limits.max_event_bytes)


def _shown(here: Services, name: str) -> Response:
    return jsonify(visibility.SCHEDULE.of(resources.schedule(queries.find(here.engine, name))))
