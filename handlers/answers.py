"""A request as an answer: as it is now, with when to ask again, or once it has ended."""

from typing import Any
from uuid import UUID

from flask import Response, jsonify

from handlers import representation, sight
from handlers.openapi.operation import Header, Link
from handlers.openapi.schemas import whole
from handlers.services import Services
from workqueue import reading

RETRY_AFTER = Header("Retry-After", whole(minimum=1), "seconds to wait before it is asked for again, while it runs")
FOLLOWING = ("show", "result", "attempts", "logs", "cancel", "retry", "run", "delete")
LINKS = {name: Link(f"requests.{name}", {"id": "$response.body#/id"}) for name in FOLLOWING}


def respond(here: Services, request_id: UUID) -> Response:
    """The request as it is now."""
    return told(representation.request(*reading.request(here.engine, request_id)))


def told(body: dict[str, Any]) -> Response:
    """Return what the caller may see of a request, and when to ask again."""
    answer = jsonify(sight.REQUEST.of(body))
    if representation.is_live(body["status"]):
        answer.headers["Retry-After"] = str(representation.RETRY_AFTER_S)
    return answer


def ended(here: Services, request_id: UUID, wait_s: float) -> tuple[dict[str, Any] | None, bool]:
    """Return the request with its result once it has ended, and whether the client was let wait.

    None when the request still lives after so many seconds.
    """

    def look() -> dict[str, Any] | None:
        row, files = reading.outcome(here.engine, request_id)
        live = representation.is_live(row["status"])
        return None if live else representation.request(row, files) | {"result": row["result"]}

    return here.waiting.until(request_id, look, wait_s)
