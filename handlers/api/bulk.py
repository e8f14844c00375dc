"""POST /api/requests/bulk: retry, run, cancel or delete many at once; each has an outcome of its own."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify

from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import unprocessable
from handlers.openapi import schemas_stats as shapes
from handlers.openapi.bodies import Body
from handlers.openapi.operation import json_answer, operation
from handlers.security.authentication import act, require
from handlers.services import Services, services
from workqueue import audit, event_json, lifecycle
from workqueue.auth.permissions import Permission
from workqueue.errors import NotAllowedNowError, UnknownRequestError
from workqueue.files.store import remove_if_possible
from workqueue.requests import cancellation
from workqueue.transport.doorbell import Bell

blueprint = Blueprint("bulk", __name__, url_prefix="/api/requests")

MOST = 1000
MAX_BODY = 128 * 1024


@blueprint.post("/bulk")
@require(Permission.OPERATE)
@operation(
    "Retry, run now, cancel or delete many requests",
    json_answer(shapes.BULK_OUTCOMES, "What became of each."),
    body=Body({"application/json": shapes.BULK}),
    refuses=(400, 413, 415),
)
def do_all() -> Response:
    """Each request is a transaction of its own: what one refuses is no matter of the others."""
    here = services()
    action, ids = _wanted(event_json.parse(uploads.json_body(MAX_BODY), MAX_BODY))
    bells: list[Bell] = []
    outcomes = [_outcome(here, ACTIONS[action], request_id, bells) for request_id in ids]
    here.doorbell.ring(bells)
    done = [UUID(outcome["id"]) for outcome in outcomes if outcome["done"]]
    here.doorbell.announce_all(done)
    here.overview.invalidate()
    return jsonify(action=action, done=len(done), items=outcomes)


def _outcome(here: Services, do: "Action", request_id: UUID, bells: list[Bell]) -> dict[str, Any]:
    try:
        bell = do(here, request_id)
    except (NotAllowedNowError, UnknownRequestError) as error:
        return {"id": str(request_id), "done": False, "detail": str(error)}
    bells += [bell] if bell else []
    return {"id": str(request_id), "done": True, "detail": None}


def _retry(here: Services, request_id: UUID) -> Bell:
    return lifecycle.retry(here.engine, request_id, here.clock.now(), act(audit.Action.REQUEST_RETRY, request_id))


def _run(here: Services, request_id: UUID) -> Bell:
    return lifecycle.run_now(here.engine, request_id, here.clock.now(), act(audit.Action.REQUEST_RUN, request_id))


def _cancel(here: Services, request_id: UUID) -> None:
    done = act(audit.Action.REQUEST_CANCEL, request_id)
    cancellation.cancel(here.engine, here.counters, request_id, here.clock.now(), done)


def _delete(here: Services, request_id: UUID) -> None:
    job_ids = lifecycle.delete(here.engine, request_id, act(audit.Action.REQUEST_DELETE, request_id))
    remove_if_possible(here.store, request_id)
    here.doorbell.forget(job_ids)


Action = Callable[[Services, UUID], Bell | None]
ACTIONS: dict[str, Action] = {"retry": _retry, "run": _run, "cancel": _cancel, "delete": _delete}


def _wanted(body: Any) -> tuple[str, list[UUID]]:
    if not isinstance(body, dict) or set(body) != {"action", "ids"}:
        raise unprocessable("body", "an object with action and ids, and nothing else, is needed")
    action, ids = body["action"], body["ids"]
    if not isinstance(action, str) or action not in ACTIONS:
        raise unprocessable("action", f"one of {', '.join(ACTIONS)} is needed")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MOST:
        raise unprocessable("ids", f"an array of 1 to {MOST} request ids is needed")
    for place, text in enumerate(ids):
        if not isinstance(text, str) or not query.UUID_TEXT.fullmatch(text):
            raise unprocessable(f"ids[{place}]", "is no request id")
    return action, list(dict.fromkeys(map(UUID, ids)))
