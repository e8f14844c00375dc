"""Answer with a request: at once, or after waiting for its end."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request

from handlers.http import memory_budget
from handlers.http.problems import OverloadedError
from handlers.openapi.json_schema import integer
from handlers.openapi.operation import Header, Link
from handlers.resources import requests, visibility
from handlers.services import Services
from workqueue.requests import queries

RETRY_AFTER = Header("Retry-After", integer(minimum=1), "seconds to wait before the next poll; absent after its end")
TEXT_WEIGHT = 6  # memory that one large value takes on its way into an answer, as a multiple of its bytes
LINKED_VIEWS = ("show", "result", "attempts", "logs", "cancel", "retry", "run", "delete")
LINKS = {name: Link(f"requests.{name}", {"id": "$response.body#/id"}) for name in LINKED_VIEWS}


def respond(services: Services, request_id: UUID) -> Response:
    """Return the current state of the request."""
    row, files = queries.find_request(services.engine, request_id)
    return json_response(
        requests.serialize_request(load_large_values(services, row, event=("event", request_id)), files)
    )


def load_large_values(services: Services, row: Mapping[Any, Any], **large: tuple[str, UUID]) -> Mapping[Any, Any]:
    """Return the row with the large values that the first query omitted, after reserving memory for them.

    large: for each column, the kind of value and the id of its request. Raises OverloadedError.
    """
    missing = {name: source for name, source in large.items() if row[name] is None and row[f"{name}_bytes"] is not None}
    # A client needs the confirmation of its change, so the response to a change waits longer for memory.
    wait_s = memory_budget.WAIT_S if request.method in ("GET", "HEAD") else memory_budget.LONG_WAIT_S
    memory_budget.reserve(sum(TEXT_WEIGHT * row[f"{name}_bytes"] for name in missing), wait_s)
    return {**row} | {name: queries.read_large_text(services.engine, *source) for name, source in missing.items()}


def json_response(body: dict[str, Any]) -> Response:
    """Return the fields of a request that the client may see, with Retry-After until the request ends."""
    answer = jsonify(visibility.REQUEST.filter(body))
    if requests.is_live(body["status"]):
        answer.headers["Retry-After"] = str(requests.RETRY_AFTER_S)
    return answer


def read_ended(services: Services, request_id: UUID) -> dict[str, Any] | None:
    """Return the request with its result; None if it has not ended."""
    row, files = queries.find_request_with_result(services.engine, request_id)
    if requests.is_live(row["status"]):
        return None
    try:
        row = load_large_values(services, row, event=("event", request_id), result=("result", request_id))
    except OverloadedError:
        return None  # the request is accepted: an answer without its result is better than an error
    return requests.serialize_request(row, files) | {"result": row["result"]}
