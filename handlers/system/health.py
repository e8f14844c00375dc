"""/healthz: this process answers. /readyz: it accepts requests; only authenticated clients see the checks."""

from flask import Blueprint, Response, g, jsonify

from handlers.openapi.operation import json_answer, operation
from handlers.resources import system
from handlers.security.authentication import public
from handlers.services import get_services
from handlers.system.readiness import can_accept

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
@operation("Check whether this process is alive", json_answer(system.HEALTH, "The process is alive."))
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
@operation(
    "Check whether this process accepts requests",
    json_answer(system.READINESS, "Requests are accepted. `checks` shows whether they run, too."),
    json_answer(system.READINESS, "Requests are not accepted; `checks` has the reason.", status=503),
)
def readyz() -> tuple[Response, int]:
    states = get_services().readiness.get_states()
    ready = can_accept(states)
    body = {"status": "ok" if ready else "not ready"} | ({} if g.principal is None else {"checks": states})
    return jsonify(body), 200 if ready else 503
