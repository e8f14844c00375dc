"""/api/queues: see what waits, pause a queue, resume it, empty it."""

import time

from flask import Blueprint, Response, jsonify

from handlers.openapi import schemas_stats as shapes
from handlers.openapi.operation import json_answer, operation
from handlers.security.authentication import act, require
from handlers.serializers import stats as told
from handlers.serializers import visibility
from handlers.services import Services, services
from workqueue.audit import Action
from workqueue.auth.permissions import Permission
from workqueue.errors import UnknownQueueError
from workqueue.requests import cancellation
from workqueue.transport import queue_pauses

blueprint = Blueprint("queues", __name__, url_prefix="/api/queues")

MOST_S = 10.0  # of one call that empties; what is left is said


@blueprint.get("")
@require(Permission.READ)
@operation("List the queues", json_answer(shapes.QUEUES, "Those that are served, and those in which something waits."))
def show_all() -> Response:
    here = services()
    now = here.clock.now()
    return jsonify(items=[told.queue(queue, now) for queue in here.overview.queues()])


@blueprint.post("/<name>/pause")
@require(Permission.OPERATE)
@operation(
    "Pause a queue",
    json_answer(visibility.QUEUE.schema, "Nothing of it is begun; what runs goes on."),
    refuses=(404,),
)
def pause(name: str) -> Response:
    here = _known(name)
    queue_pauses.pause(here.engine, name, here.clock.now(), act(Action.QUEUE_PAUSE, name))
    here.doorbell.clear_queue(name)
    return _shown(here, name)


@blueprint.post("/<name>/resume")
@require(Permission.OPERATE)
@operation("Resume a queue", json_answer(visibility.QUEUE.schema, "It is served again."), refuses=(404,))
def resume(name: str) -> Response:
    here = _known(name)
    queue_pauses.resume(here.engine, name, act(Action.QUEUE_RESUME, name))
    here.doorbell.reset_generation()
    return _shown(here, name)


@blueprint.post("/<name>/empty")
@require(Permission.OPERATE)
@operation(
    "Empty a queue", json_answer(shapes.EMPTIED, "What waited in it is cancelled; what runs goes on."), refuses=(404,)
)
def empty(name: str) -> Response:
    """Cancels what waits. `complete` is false when more than fits one call did: ask again."""
    here = _known(name)
    cancelled, ends_at = 0, time.monotonic() + MOST_S
    while ids := cancellation.empty(here.engine, here.counters, name, here.clock.now(), act(Action.QUEUE_EMPTY, name)):
        cancelled += len(ids)
        here.doorbell.announce_all(ids)
        if time.monotonic() >= ends_at:
            break
    here.doorbell.clear_queue(name)
    here.doorbell.reset_generation()  # what came meanwhile may have been silenced with the others
    here.overview.invalidate()
    return jsonify(name=name, cancelled=cancelled, complete=not ids)


def _known(name: str) -> Services:
    here = services()
    names = [queue.name for queue in here.overview.queues()]
    if name not in names:
        raise UnknownQueueError(f"There is no queue {name!r}; there are {', '.join(names)}.")
    return here


def _shown(here: Services, name: str) -> Response:
    here.overview.invalidate()
    found = next(queue for queue in here.overview.queues() if queue.name == name)
    return jsonify(visibility.QUEUE.of(told.queue(found, here.clock.now())))
