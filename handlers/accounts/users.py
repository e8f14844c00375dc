"""/api/users: list, create, change and delete users."""

from typing import Any

from flask import Blueprint, Response, jsonify

from handlers.body import uploads
from handlers.http.problems import invalid_field
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Body, Header, Link, json_answer, operation
from handlers.resources import accounts
from handlers.security.authentication import audit_entry, require
from handlers.services import get_services
from workqueue.audit import Action
from workqueue.auth import users
from workqueue.auth.permissions import Permission

blueprint = Blueprint("users", __name__, url_prefix="/api/users")

MAX_BODY = 16 * 1024

BODY_ERRORS = (400, 413, 415)
LINKS = {name: Link(f"users.{name}", {"name": "$response.body#/username"}) for name in ("show", "change", "delete")}


@blueprint.get("")
@require(Permission.ADMINISTER)
@operation("List users", json_answer(accounts.USERS, "All users, by name."))
def show_all() -> Response:
    return jsonify(items=[accounts.USER.serialize(row) for row in users.list_users(get_services().engine)])


@blueprint.post("")
@require(Permission.ADMINISTER)
@operation(
    "Create a user",
    json_answer(
        accounts.USER,
        "The user.",
        status=201,
        headers=(Header("Location", string(), "the path of the user"),),
        links=LINKS,
    ),
    body=Body({"application/json": accounts.NEW_USER}),
    errors=(409, *BODY_ERRORS),
)
def create() -> tuple[Response, int, dict[str, str]]:
    services = get_services()
    name = users.create(services.engine, _read_body(), audit_entry(Action.USER_CREATE))
    return jsonify(accounts.USER.serialize(users.find(services.engine, name))), 201, {"Location": f"/api/users/{name}"}


@blueprint.get("/<name>")
@require(Permission.ADMINISTER)
@operation("Show a user", json_answer(accounts.USER, "The user.", links=LINKS), errors=(404,))
def show(name: str) -> Response:
    return jsonify(accounts.USER.serialize(users.find(get_services().engine, name)))


@blueprint.patch("/<name>")
@require(Permission.ADMINISTER)
@operation(
    "Change a user",
    json_answer(accounts.USER, "The changed user.", links=LINKS),
    description="A new password or role ends the sessions of the user.",
    body=Body({"application/json": accounts.USER_CHANGE}),
    errors=(404, 409, *BODY_ERRORS),
)
def change(name: str) -> Response:
    services = get_services()
    users.change(services.engine, name, _read_body(), audit_entry(Action.USER_CHANGE, name))
    services.access.invalidate_cache()
    return jsonify(accounts.USER.serialize(users.find(services.engine, name)))


@blueprint.delete("/<name>")
@require(Permission.ADMINISTER)
@operation("Delete a user", Answer(204, "The user is deleted."), errors=(404, 409))
def delete(name: str) -> tuple[str, int]:
    services = get_services()
    users.remove(services.engine, name, audit_entry(Action.USER_DELETE, name))
    services.access.invalidate_cache()
    return "", 204


def _read_body() -> dict[str, Any]:
    body = uploads.read_json_object(MAX_BODY, "fields of the user")
    if not body:
        raise invalid_field("body", "is empty; send at least one field of the user")
    return body
