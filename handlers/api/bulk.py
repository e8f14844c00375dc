"""POST /api/requests/bulk: retry, run, cancel or delete many requests; each one has its own outcome."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify

from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import invalid_field
from handlers.openapi.operation import Body, json_answer, operation
from handlers.resources import requests
from handlers.security.authentication import audit_entry, require
from handlers.services import Services, get_services
from workqueue import audit, lifecycle
from workqueue.auth.permissions import Permission
from workqueue.errors import NotAllowedNowError, UnknownRequestError
from workqueue.files.store import remove_if_possible
from workqueue.requests import cancellation
from workqueue.transport.doorbell import Bell

blueprint = Blueprint("bulk", __name__, url_prefix="/api/requests")

MAX_IDS = 1000
MAX_BODY = 128 * 1024


@blueprint.post("/bulk")
@require(Permission.OPERATE)
@operation(
    "Retry, run, cancel or delete many requests",
    json_answer(requests.BULK_OUTCOMES, "The outcome for each request."),
    body=Body({"application/json": requests.BULK_ACTION}),
    errors=(400, 413, 415),
)
def run_action() -> Response:
    """Change each request in its own transaction: a request that cannot be changed does not stop the others."""
    services = get_services()
    action, ids = _parse_body(uploads.read_json_object(MAX_BODY, "action and ids"))
    bells: list[Bell] = []
    outcomes = [_run_on_request(services, ACTIONS[action], request_id, bells) for request_id in ids]
    services.doorbell.ring(bells)
    done = [UUID(outcome["id"]) for outcome in outcomes if outcome["done"]]
    services.doorbell.announce_all(done)
    services.overview.invalidate()
    return jsonify(action=action, done=len(done), items=outcomes)


def _run_on_request(services: Services, do: "Action", request_id: UUID, bells: list[Bell]) -> dict[str, Any]:
    try:
        bell = do(services, request_id)
    except (NotAllowedNowError, UnknownRequestError) as error:
        return {"id": str(request_id), "done": False, "detail": str(error)}
    bells += [bell] if bell else []
    return {"id": str(request_id), "done": True, "detail": None}


def _retry(services: Services, request_id: UUID) -> Bell:
    return lifecycle.retry(
        services.engine, request_id, services.clock.now(), audit_entry(audit.Action.REQUEST_RETRY, request_id)
    )


def _run(services: Services, request_id: UUID) -> Bell:
    return lifecycle.run_now(
        services.engine, request_id, services.clock.now(), audit_entry(audit.Action.REQUEST_RUN, request_id)
    )


def _cancel(services: Services, request_id: UUID) -> None:
    done = audit_entry(audit.Action.REQUEST_CANCEL, request_id)
    cancellation.cancel(services.engine, services.counters, request_id, services.clock.now(), done)


def _delete(services: Services, request_id: UUID) -> None:
    job_ids = lifecycle.delete(services.engine, request_id, audit_entry(audit.Action.REQUEST_DELETE, request_id))
    remove_if_possible(services.store, request_id)
    services.doorbell.delete_jobs(job_ids)


Action = Callable[[Services, UUID], Bell | None]
ACTIONS: dict[str, Action] = {"retry": _retry, "run": _run, "cancel": _cancel, "delete": _delete}


def _parse_body(body: dict[str, Any]) -> tuple[str, list[UUID]]:
    if set(body) != {"action", "ids"}:
        raise invalid_field("body", "must have the fields action and ids, and no others")
    action, ids = body["action"], body["ids"]
    if not isinstance(action, str) or action not in ACTIONS:
        raise invalid_field("action", f"{query.quote(action)} is not valid; use one of {', '.join(ACTIONS)}")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_IDS:
        raise invalid_field("ids", f"must be an array of 1 to {MAX_IDS} request ids")
    for index, text in enumerate(ids):
        if not isinstance(text, str) or not query.UUID_TEXT.fullmatch(text):
            raise invalid_field(f"ids[{index}]", f"{query.quote(text)} is not a request id; use a UUID")
    return action, list(dict.fromkeys(map(UUID, ids)))
