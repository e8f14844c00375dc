"""/api/stats, /api/workers, /api/sandboxes and a function's stats: how the installation is doing."""

from typing import Any

from flask import Blueprint, Response, jsonify
from werkzeug.http import generate_etag

from handlers.http import query
from handlers.openapi import schemas_stats as shapes
from handlers.openapi.operation import json_answer, operation
from handlers.security.authentication import require
from handlers.serializers import stats as told
from handlers.services import get_services
from workqueue.auth.permissions import Permission
from workqueue.functions import registry
from workqueue.heartbeats import sandbox_snapshots
from workqueue.stats import highlights

blueprint = Blueprint("operations", __name__, url_prefix="/api")

MAX_HIGHLIGHTS = 20


@blueprint.get("/stats")
@require(Permission.READ)
@operation("Show how the installation is doing", json_answer(shapes.STATS, "Counts, series and what is wrong."))
def stats() -> Response:
    return add_data_etag(told.stats(get_services().overview.snapshot()))


@blueprint.get("/stats/functions")
@require(Permission.READ)
@operation("Show how every function is doing", json_answer(shapes.FUNCTIONS_STATS, "Their last 24 hours."))
def functions_stats() -> Response:
    return add_data_etag(told.functions_stats(get_services().overview.snapshot()))


def add_data_etag(body: dict[str, Any]) -> Response:
    """Return an answer whose ETag says nothing of when it was made: figures that stay the same are a 304."""
    answer = jsonify(body)
    lasting = jsonify({name: value for name, value in body.items() if name != "time"})
    answer.set_etag(generate_etag(lasting.get_data()), weak=True)
    return answer


@blueprint.get("/highlights")
@require(Permission.READ)
@operation(
    "Name what has run longest and what failed last",
    json_answer(shapes.HIGHLIGHTS, "Requests without their events; cancelled ones are not among the failed."),
    query={"limit": query.integer(1, MAX_HIGHLIGHTS).described("at most so many of each; 4 unless given")},
)
def show_highlights(params: dict[str, Any]) -> Response:
    running, failed = highlights.read_highlights(get_services().engine, params["limit"] or 4)
    return jsonify(running=[told.highlight(row) for row in running], failed=[told.highlight(row) for row in failed])


@blueprint.get("/functions/<name>/stats")
@require(Permission.READ)
@operation("Show how a function is doing", json_answer(shapes.FUNCTION_STATS, "Its last 24 hours."), refuses=(404,))
def function_stats(name: str) -> Response:
    services = get_services()
    function = registry.find(services.engine, name)
    return jsonify(told.function_stats(services.overview.snapshot(), function.name))


@blueprint.get("/workers")
@require(Permission.READ)
@operation("List the workers", json_answer(shapes.WORKERS, "Who does what now."))
def workers() -> Response:
    return jsonify(items=[told.worker(worker) for worker in get_services().overview.snapshot().workers])


@blueprint.get("/sandboxes")
@require(Permission.READ)
@operation("List the sandboxes", json_answer(shapes.SANDBOXES, "Those of every machine, with their memory."))
def show_sandboxes() -> Response:
    services = get_services()
    with services.engine.connect() as connection:
        found = sandbox_snapshots.list_sandboxes(connection, services.clock.now())
    return jsonify(items=[told.sandbox(note) for note in found])
