"""/api/stats, /api/workers, /api/sandboxes and a function's stats: how the installation is doing."""

from flask import Blueprint, Response, jsonify

from handlers import query
from handlers import representation_of_operations as told
from handlers.access import needs
from handlers.services import services
from workqueue import registry
from workqueue.access.principals import Permission
from workqueue.figures import sandboxes

blueprint = Blueprint("operations", __name__, url_prefix="/api")


@blueprint.get("/stats")
@needs(Permission.READ)
def stats() -> Response:
    query.parameters({})
    return jsonify(told.stats(services().overview.snapshot()))


@blueprint.get("/functions/<name>/stats")
@needs(Permission.READ)
def function_stats(name: str) -> Response:
    query.parameters({})
    here = services()
    function = registry.find(here.engine, name)
    return jsonify(told.function_stats(here.overview.snapshot(), function.name))


@blueprint.get("/workers")
@needs(Permission.READ)
def workers() -> Response:
    query.parameters({})
    return jsonify(items=[told.worker(worker) for worker in services().overview.snapshot().workers])


@blueprint.get("/sandboxes")
@needs(Permission.READ)
def show_sandboxes() -> Response:
    query.parameters({})
    here = services()
    with here.engine.connect() as connection:
        found = sandboxes.present(connection, here.clock.now())
    return jsonify(items=[told.sandbox(note) for note in found])
