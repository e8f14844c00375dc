"""/api/stats, /api/highlights, /api/workers and /api/sandboxes: the state of the installation."""

from typing import Any

from flask import Blueprint, Response, jsonify
from werkzeug.http import generate_etag

from handlers.http import query
from handlers.openapi.operation import json_answer, operation
from handlers.resources import function_stats, requests, stats, workers
from handlers.security.authentication import require
from handlers.services import get_services
from workqueue.auth.permissions import Permission
from workqueue.functions import registry
from workqueue.heartbeats import sandbox_snapshots
from workqueue.stats import highlights

blueprint = Blueprint("operations", __name__, url_prefix="/api")

MAX_HIGHLIGHTS = 20


@blueprint.get("/stats")
@require(Permission.READ)
@operation("Show the stats of the installation", json_answer(stats.STATS, "Counts, series and problems."))
def show_stats() -> Response:
    return add_data_etag(stats.serialize_stats(get_services().overview.snapshot()))


@blueprint.get("/stats/functions")
@require(Permission.READ)
@operation(
    "Show the stats of all functions",
    json_answer(function_stats.FUNCTIONS_STATS, "The last 24 hours of each function."),
)
def show_functions_stats() -> Response:
    return add_data_etag(function_stats.serialize_functions_stats(get_services().overview.snapshot()))


def add_data_etag(body: dict[str, Any]) -> Response:
    """Return an answer whose ETag leaves out its time: unchanged stats are answered with 304."""
    answer = jsonify(body)
    data = jsonify({name: value for name, value in body.items() if name != "time"})
    answer.set_etag(generate_etag(data.get_data()), weak=True)
    return answer


@blueprint.get("/highlights")
@require(Permission.READ)
@operation(
    "List the longest-running and the latest failed requests",
    json_answer(requests.HIGHLIGHTS, "Requests without their events. Cancelled requests do not count as failed."),
    query={"limit": query.integer(1, MAX_HIGHLIGHTS).described("requests in each list; default: 4")},
)
def show_highlights(params: dict[str, Any]) -> Response:
    running, failed = highlights.read_highlights(get_services().engine, params["limit"] or 4)
    return jsonify(
        running=[requests.serialize_highlight(row) for row in running],
        failed=[requests.serialize_highlight(row) for row in failed],
    )


@blueprint.get("/functions/<name>/stats")
@require(Permission.READ)
@operation(
    "Show the stats of a function",
    json_answer(function_stats.FUNCTION_STATS, "The last 24 hours of the function."),
    errors=(404,),
)
def show_function_stats(name: str) -> Response:
    services = get_services()
    function = registry.find(services.engine, name)
    return jsonify(function_stats.serialize_function_stats(services.overview.snapshot(), function.name))


@blueprint.get("/workers")
@require(Permission.READ)
@operation("List workers", json_answer(workers.WORKERS, "All workers, and the request that each one runs."))
def show_workers() -> Response:
    return jsonify(items=[workers.serialize_worker(worker) for worker in get_services().overview.snapshot().workers])


@blueprint.get("/sandboxes")
@require(Permission.READ)
@operation("List sandboxes", json_answer(workers.SANDBOXES, "The sandboxes of all machines, with their memory."))
def show_sandboxes() -> Response:
    services = get_services()
    with services.engine.connect() as connection:
        snapshots = sandbox_snapshots.list_sandboxes(connection, services.clock.now())
    return jsonify(items=[workers.SANDBOX.serialize(snapshot) for snapshot in snapshots])
