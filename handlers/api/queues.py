"""/api/queues: list, pause, resume and empty queues."""

import time

from flask import Blueprint, Response, jsonify

from handlers.openapi.operation import json_answer, operation
from handlers.resources import visibility, workers
from handlers.security.authentication import audit_entry, require
from handlers.services import Services, get_services
from workqueue.audit import Action
from workqueue.auth.permissions import Permission
from workqueue.errors import UnknownQueueError
from workqueue.requests import cancellation
from workqueue.transport import queue_pauses

blueprint = Blueprint("queues", __name__, url_prefix="/api/queues")

MAX_EMPTY_S = 10.0  # for one call; the response shows whether pending requests are left


@blueprint.get("")
@require(Permission.READ)
@operation("List queues", json_answer(workers.QUEUES, "All queues that are served or hold pending requests."))
def show_all() -> Response:
    services = get_services()
    now = services.clock.now()
    return jsonify(items=[workers.serialize_queue(queue, now) for queue in services.overview.queues()])


@blueprint.post("/<name>/pause")
@require(Permission.OPERATE)
@operation(
    "Pause a queue",
    json_answer(visibility.QUEUE.schema, "No request of the queue starts; running requests continue."),
    errors=(404,),
)
def pause(name: str) -> Response:
    services = _find_queue(name)
    queue_pauses.pause(services.engine, name, services.clock.now(), audit_entry(Action.QUEUE_PAUSE, name))
    services.doorbell.clear_queue(name)
    return _show(services, name)


@blueprint.post("/<name>/resume")
@require(Permission.OPERATE)
@operation("Resume a queue", json_answer(visibility.QUEUE.schema, "Workers serve the queue again."), errors=(404,))
def resume(name: str) -> Response:
    services = _find_queue(name)
    queue_pauses.resume(services.engine, name, audit_entry(Action.QUEUE_RESUME, name))
    services.doorbell.reset_generation()
    return _show(services, name)


@blueprint.post("/<name>/empty")
@require(Permission.OPERATE)
@operation(
    "Empty a queue",
    json_answer(workers.EMPTIED_QUEUE, "Its pending requests are cancelled; running requests continue."),
    errors=(404,),
)
def empty(name: str) -> Response:
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
    # clear_queue may have removed bells of requests that came meanwhile: let the reconciler ring them again.
    services.doorbell.reset_generation()
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
    queue = next(queue for queue in services.overview.queues() if queue.name == name)
    return jsonify(visibility.QUEUE.filter(workers.serialize_queue(queue, services.clock.now())))
