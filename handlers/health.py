"""/healthz: this process answers. /readyz: requests can be accepted and run; strangers are not told why not."""

from collections.abc import Callable

from flask import Blueprint, Response, g, jsonify
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from handlers.access import open_to_all
from handlers.openapi import shapes
from handlers.openapi.operation import json_answer, operation
from handlers.services import services
from schema import revision
from workqueue.workers import presence

blueprint = Blueprint("health", __name__)

AWAY = "away"


@blueprint.get("/healthz")
@open_to_all
@operation("Ask whether this process answers", json_answer(shapes.HEALTH, "It does."))
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
@open_to_all
@operation(
    "Ask whether requests are accepted and run",
    json_answer(shapes.READINESS, "They are."),
    json_answer(shapes.READINESS, "They are not; `checks` says what is missing.", status=503),
)
def readyz() -> tuple[Response, int]:
    here = services()
    migrations = _ask(lambda: revision.is_current(here.engine))
    found = {
        "migrations": migrations,
        "redis": _ask(here.doorbell.reach),
        # A database that is silent is not asked twice: that would take as long again.
        "workers": migrations
        if _is_away(migrations)
        else _ask(lambda: bool(presence.present(here.engine, here.clock))),
    }
    ready = all(answer == "ok" for answer in found.values())
    told = {"status": "ok" if ready else "not ready"} | ({} if g.principal is None else {"checks": found})
    return jsonify(told), 200 if ready else 503


def _ask(check: Callable[[], bool]) -> str:
    try:
        return "ok" if check() else "missing"
    except (SQLAlchemyError, RedisError) as error:
        return f"{AWAY}: {type(error).__name__}"


def _is_away(answer: str) -> bool:
    return answer.startswith(AWAY)
