"""/api/queues: see what waits, pause a queue, resume it, empty it."""

import time

from flask import Blueprint, Response, jsonify

from handlers.openapi import schemas_stats as shapes
from handlers.openapi.operation import json_answer, operation
from handlers.security.authentication import audit_entry, require
from handlers.serializers import stats as told
from handlers.serializers import visibility
from handlers.services import Services, get_services
from workqueue.audit import Action
from workqueue.auth.permissions import Permission
from workqueue.errors import UnknownQueueError
from workqueue.requests import cancellation
from workqueue.transport import queue_pauses

blueprint = Blueprint("queues", __name__, url_prefix="/api/queues")

MAX_EMPTY_S = 10.0  # of one call that empties; what is left is said


@blueprint.get("")
@require(Permission.READ)
@operation("List the queues", json_answer(shapes.QUEUES, "Those that are served, and those in which something waits."))
def show_all() -> Response:
    services = get_services()
    now = services.clock.now()
    return jsonify(items=[told.queue(queue, now) for queue in services.overview.queues()])


@blueprint.post("/<name>/pause")
@require(Permission.OPERATE)
@operation(
    "Pause a queue",
    json_answer(visibility.QUEUE.schema, "Nothing of it is begun; what runs goes on."),
    refuses=(404,),
)
def pause(name: str) -> Response:
    services = _find_queue(name)
    queue_pauses.pause(services.engine, name, services.clock.now(), audit_entry(Action.QUEUE_PAUSE, name))
    services.doorbell.clear_queue(name)
    return _show(services, name)


@blueprint.post("/<name>/resume")
@require(Permission.OPERATE)
@operation("Resume a queue", json_answer(visibility.QUEUE.schema, "It is served again."), refuses=(404,))
def resume(name: str) -> Response:
    services = _find_queue(name)
    queue_pauses.resume(services.engine, name, audit_entry(Action.QUEUE_RESUME, name))
    services.doorbell.reset_generation()
    return _show(services, name)


@blueprint.post("/<name>/empty")
@require(Permission.OPERATE)
@operation(
    "Empty a queue", json_answer(shapes.EMPTIED, "What waited in it is cancelled; what runs goes on."), refuses=(404,)
)
def empty(name: str) -> Response:
    """Cancels what waits. `complete` is false when more than fits one call did: ask again."""
    services = _find_queue(name)
    cancelled, ends_at = 0, time.monotonic() + MAX_EMPTY_S
    while ids := cancellation.cancel_pending_in_queue(
        services.engine, services.counters, name, services.clock.now(), audit_entry(Action.QUEUE_EMPTY, name)
    ):
        cancelled += len(ids)
        services.doorbell.announce_all(ids)
        if time.monotonic() >= ends_at:
            break
    services.doorbell.clear_queue(name)
    services.doorbell.reset_generation()  # what came meanwhile may have been silenced with the others
    services.overview.invalidate()
    return jsonify(name=name, cancelled=cancelled, complete=not ids)


def _find_queue(name: str) -> Services:
    services = get_services()
    names = [queue.name for queue in services.overview.queues()]
    if name not in names:
        raise UnknownQueueError(f"There is no queue {name!r}; there are {', '.join(names)}.")
    return services


def _show(services: Services, name: str) -> Response:
    services.overview.invalidate()
    found = next(queue for queue in services.overview.queues() if queue.name == name)
    return jsonify(visibility.QUEUE.of(told.queue(found, services.clock.now())))
