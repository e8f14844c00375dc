"""/api/keys: API keys of programs. For admins; a key is told once, when it is made."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, jsonify

from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import invalid_field
from handlers.openapi import schemas_auth as shapes
from handlers.openapi.bodies import Body
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Header, Link, json_answer, operation
from handlers.security.authentication import require
from handlers.serializers import resources
from handlers.services import get_services
from workqueue import event_json
from workqueue.auth import api_keys
from workqueue.auth.permissions import Permission

blueprint = Blueprint("keys", __name__, url_prefix="/api/keys")

MAX_BODY = 128 * 1024


@blueprint.get("")
@require(Permission.ADMINISTER)
@operation("List the API keys", json_answer(shapes.KEYS, "All, without the keys themselves."))
def show_all() -> Response:
    return jsonify(items=[key(row) for row in api_keys.list_keys(get_services().engine)])


@blueprint.post("")
@require(Permission.ADMINISTER)
@operation(
    "Create an API key",
    json_answer(
        shapes.NEW_KEY_TOLD,
        "The key, told this once.",
        status=201,
        headers=(Header("Location", string(), "its address"),),
        links={"revoke": Link("keys.revoke", {"id": "$response.body#/id"})},
    ),
    body=Body({"application/json": shapes.NEW_KEY}),
    refuses=(400, 409, 413, 415),
)
def create() -> tuple[Response, int, dict[str, str]]:
    services = get_services()
    body = event_json.parse(uploads.read_json_body(MAX_BODY), MAX_BODY)
    if not isinstance(body, dict):
        raise invalid_field("body", "an object with name, scopes, functions, expires_at is needed")
    now = services.clock.now()
    row, secret = api_keys.create(services.engine, api_keys.parse_key_request(body, now), g.actor, now)
    headers = {"Location": f"/api/keys/{row['id']}", "Cache-Control": "no-store"}
    return jsonify(key(row) | {"key": secret}), 201, headers


@blueprint.delete("/<id>")
@require(Permission.ADMINISTER)
@operation("Revoke an API key", Answer(204, "It opens nothing any more."), refuses=(404,))
def revoke(id: str) -> tuple[str, int]:
    services = get_services()
    api_keys.revoke(services.engine, query.parse_id(id, "API key"), g.actor)
    services.access.invalidate_cache()
    return "", 204


def key(row: Mapping[Any, Any]) -> dict[str, Any]:
    """As it is shown, without the key itself."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "prefix": row["prefix"],
        "scopes": row["scopes"],
        "functions": row["functions"],
        "created_by": row["created_by"],
        "created_at": resources.moment(row["created_at"]),
        "expires_at": resources.moment(row["expires_at"]),
        "last_used_at": resources.moment(row["last_used_at"]),
    }
