"""/healthz: this process answers. /readyz: requests can be accepted and run; strangers are not told why not."""

from flask import Blueprint, Response, g, jsonify

from handlers.openapi import schemas_requests
from handlers.openapi.operation import json_answer, operation
from handlers.security.authentication import public
from handlers.services import get_services
from handlers.system.readiness import OK

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
@operation("Ask whether this process answers", json_answer(schemas_requests.HEALTH, "It does."))
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
@operation(
    "Ask whether requests are accepted and run",
    json_answer(schemas_requests.READINESS, "They are."),
    json_answer(schemas_requests.READINESS, "They are not; `checks` says what is missing.", status=503),
)
def readyz() -> tuple[Response, int]:
    found = get_services().readiness.get_states()
    ready = all(answer == OK for answer in found.values())
    told = {"status": "ok" if ready else "not ready"} | ({} if g.principal is None else {"checks": found})
    return jsonify(told), 200 if ready else 503
