"""A request as an answer: as it is now, with when to ask again, or once it has ended."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request

from handlers.http import memory_budget, query
from handlers.http.problems import OverloadedError
from handlers.openapi.json_schema import integer
from handlers.openapi.operation import Header, Link
from handlers.serializers import resources, visibility
from handlers.services import Services
from workqueue.requests import queries

RETRY_AFTER = Header("Retry-After", integer(minimum=1), "seconds to wait before it is asked for again, while it runs")
TEXT_WEIGHT = 6  # times its bytes: how much memory the text of one value takes on its way into an answer
LINKED_VIEWS = ("show", "result", "attempts", "logs", "cancel", "retry", "run", "delete")
LINKS = {name: Link(f"requests.{name}", {"id": "$response.body#/id"}) for name in LINKED_VIEWS}


def respond(services: Services, request_id: UUID) -> Response:
    """The request as it is now."""
    row, files = queries.find_request(services.engine, request_id)
    return json_response(resources.request(load_large_values(services, row, event=("event", request_id)), files))


def load_large_values(services: Services, row: Mapping[Any, Any], **large: tuple[str, UUID]) -> Mapping[Any, Any]:
    """Return the row with the texts that were too large to be read with it, once there is memory for them.

    large: for a column, what it holds and of which request. Raises OverloadedError.
    """
    missing = {name: place for name, place in large.items() if row[name] is None and row[f"{name}_bytes"] is not None}
    # After a change the client has to learn that it was made: such an answer waits longer for its memory.
    wait_s = memory_budget.WAIT_S if request.method in ("GET", "HEAD") else memory_budget.LONG_WAIT_S
    memory_budget.reserve(sum(TEXT_WEIGHT * row[f"{name}_bytes"] for name in missing), wait_s)
    return {**row} | {name: queries.read_large_text(services.engine, *place) for name, place in missing.items()}


def json_response(body: dict[str, Any]) -> Response:
    """Return what the caller may see of a request, and when to ask again."""
    answer = jsonify(visibility.REQUEST.of(body))
    if resources.is_live(body["status"]):
        answer.headers["Retry-After"] = str(resources.RETRY_AFTER_S)
    return answer


def wait_until_ended(services: Services, request_id: UUID, wait_s: float) -> tuple[dict[str, Any] | None, bool]:
    """Return the request with its result once it has ended, and whether the client was let wait.

    None when the request still lives after so many seconds.
    """

    def look() -> dict[str, Any] | None:
        row, files = queries.find_request_with_result(services.engine, request_id)
        if resources.is_live(row["status"]):
            return None
        try:
            row = load_large_values(services, row, event=("event", request_id), result=("result", request_id))
        except OverloadedError:
            return None  # the request is accepted: an answer without its result is better than an error
        return resources.request(row, files) | {"result": row["result"]}

    return services.changes.wait_for(request_id, look, wait_s) if query.has_thread_to_wait() else (look(), False)
