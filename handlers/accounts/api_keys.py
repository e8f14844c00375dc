"""/api/keys: list, create and revoke API keys. Only the answer that creates a key contains it."""

from flask import Blueprint, Response, g, jsonify

from handlers.body import uploads
from handlers.http import query
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Body, Header, Link, json_answer, operation
from handlers.resources import accounts
from handlers.security.authentication import require
from handlers.services import get_services
from workqueue.auth import api_keys
from workqueue.auth.permissions import Permission

blueprint = Blueprint("keys", __name__, url_prefix="/api/keys")

MAX_BODY = 128 * 1024


@blueprint.get("")
@require(Permission.ADMINISTER)
@operation("List API keys", json_answer(accounts.KEYS, "All API keys, without their secrets."))
def show_all() -> Response:
    return jsonify(items=[accounts.KEY.serialize(row) for row in api_keys.list_keys(get_services().engine)])


@blueprint.post("")
@require(Permission.ADMINISTER)
@operation(
    "Create an API key",
    json_answer(
        accounts.CREATED_KEY,
        "The API key. No later answer contains `key`.",
        status=201,
        headers=(Header("Location", string(), "the path of the key"),),
        links={"revoke": Link("keys.revoke", {"id": "$response.body#/id"})},
    ),
    body=Body({"application/json": accounts.NEW_KEY}),
    errors=(400, 409, 413, 415),
)
def create() -> tuple[Response, int, dict[str, str]]:
    services = get_services()
    body = uploads.read_json_object(MAX_BODY, "name, scopes, and optionally functions and expires_at")
    now = services.clock.now()
    row, secret = api_keys.create(services.engine, api_keys.parse_key_request(body, now), g.actor, now)
    headers = {"Location": f"/api/keys/{row['id']}", "Cache-Control": "no-store"}
    return jsonify(accounts.CREATED_KEY.serialize(row, key=secret)), 201, headers


@blueprint.delete("/<id>")
@require(Permission.ADMINISTER)
@operation("Revoke an API key", Answer(204, "The API key is revoked."), errors=(404,))
def revoke(id: str) -> tuple[str, int]:
    services = get_services()
    api_keys.revoke(services.engine, query.parse_id(id, "API key"), g.actor)
    services.access.invalidate_cache()
    return "", 204
