"""/api/schedules: rows that make requests at their times; seen, edited, run."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers import query, representation, requests, uploads
from handlers.access import needs
from handlers.services import Services, services
from workqueue import events
from workqueue.access.principals import Permission
from workqueue.schedules import editing, reading
from workqueue.schedules.checking import Rules

blueprint = Blueprint("schedules", __name__, url_prefix="/api/schedules")

MOST_TIMES = 1000
OVERHEAD = 64 * 1024  # of a body: everything but the event


@blueprint.get("")
@needs(Permission.READ)
def show_all() -> Response:
    query.parameters({})
    return jsonify(items=[representation.schedule(found) for found in reading.listing(services().engine)])


@blueprint.post("")
@needs(Permission.MANAGE)
def create() -> tuple[Response, int, dict[str, str]]:
    query.parameters({})
    here = services()
    name = editing.create(here.engine, _body(here), _rules(here), here.clock.now())
    return _shown(here, name), 201, {"Location": f"/api/schedules/{name}"}


@blueprint.get("/<name>")
@needs(Permission.READ)
def show(name: str) -> Response:
    query.parameters({})
    return _shown(services(), name)


@blueprint.patch("/<name>")
@needs(Permission.MANAGE)
def change(name: str) -> Response:
    query.parameters({})
    here = services()
    editing.change(here.engine, name, _body(here), _rules(here), here.clock.now())
    return _shown(here, name)


@blueprint.delete("/<name>")
@needs(Permission.MANAGE)
def delete(name: str) -> tuple[str, int]:
    query.parameters({})
    editing.delete(services().engine, name)
    return "", 204


@blueprint.post("/<name>/run")
@needs(Permission.OPERATE)
def run(name: str) -> tuple[Response, int]:
    query.parameters({})
    here = services()
    request_id = editing.run_now(here.engine, here.doorbell, here.clock, name)
    answer = requests.respond(here, request_id)
    answer.headers["Location"] = f"/api/requests/{request_id}"
    return answer, 202


@blueprint.get("/<name>/next")
@needs(Permission.READ)
def next_times(name: str) -> Response:
    count = query.parameters({"count": query.whole(1, MOST_TIMES)})["count"] or 10
    here = services()
    found = reading.find(here.engine, name).schedule
    times = reading.next_times(found, here.clock.now(), count)
    return jsonify(times=[representation.second(time) for time in times])


def _body(here: Services) -> Any:
    limit = here.limits.max_event_bytes + OVERHEAD
    return events.parse(uploads.json_body(limit), limit)


def _rules(here: Services) -> Rules:
    return editing.rules(here.engine, here.limits.queues, here.limits.max_event_bytes)


def _shown(here: Services, name: str) -> Response:
    return jsonify(representation.schedule(reading.find(here.engine, name)))
