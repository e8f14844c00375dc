"""/healthz: this process answers. /readyz: it accepts requests; only authenticated clients see the checks."""

from typing import Any

from flask import Blueprint, Response, g, jsonify

from handlers.http import query
from handlers.openapi.operation import json_answer, operation
from handlers.resources import system
from handlers.security.authentication import public
from handlers.services import get_services
from handlers.system.readiness import NEEDED, can_accept

blueprint = Blueprint("health", __name__)

MEANINGS = {
    "web": "This process takes requests; while it is stopping, a proxy sends them elsewhere.",
    "database": "PostgreSQL answers; without it no request is accepted.",
    "migrations": "The tables are those of this version, or of a newer one that it works with; "
    "with others no request is accepted.",
    "redis": "Redis answers; without it requests are accepted, and start about a second later.",
    "workers": "A worker is alive; without one requests are accepted, and wait.",
}


@blueprint.get("/healthz")
@public
@operation("Check whether this process is alive", json_answer(system.HEALTH, "The process is alive."))
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
@operation(
    "Check whether this process accepts requests",
    json_answer(system.READINESS, "Requests are accepted. The checks show whether they run, too."),
    json_answer(system.READINESS, "Requests are not accepted; the checks have the reason.", status=503),
    query={"verbose": query.flag.described("show all checks, to authenticated clients only")},
)
def readyz(params: dict[str, Any]) -> tuple[Response, int]:
    states = get_services().readiness.get_states()
    ready = can_accept(states)
    body: dict[str, Any] = {"status": "ok" if ready else "not ready"}
    if params["verbose"] and g.principal is not None:
        body["checks"] = {name: _serialize_check(name, state) for name, state in states.items()}
    return jsonify(body), 200 if ready else 503


def _serialize_check(name: str, state: str) -> dict[str, Any]:
    return system.READINESS_CHECK.serialize({"state": state, "needed": name in NEEDED, "meaning": MEANINGS[name]})
