"""/api/users: who may log in, and as what. For admins."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from handlers import query, representation, uploads
from handlers.access import needs
from handlers.problems import unprocessable
from handlers.services import services
from workqueue import events
from workqueue.access import users
from workqueue.access.principals import Permission

blueprint = Blueprint("users", __name__, url_prefix="/api/users")

MAX_BODY = 16 * 1024


@blueprint.get("")
@needs(Permission.ADMINISTER)
def show_all() -> Response:
    query.parameters({})
    return jsonify(items=[user(row) for row in users.listing(services().engine)])


@blueprint.post("")
@needs(Permission.ADMINISTER)
def create() -> tuple[Response, int, dict[str, str]]:
    query.parameters({})
    here = services()
    name = users.create(here.engine, _body())
    return jsonify(user(users.find(here.engine, name))), 201, {"Location": f"/api/users/{name}"}


@blueprint.get("/<name>")
@needs(Permission.ADMINISTER)
def show(name: str) -> Response:
    query.parameters({})
    return jsonify(user(users.find(services().engine, name)))


@blueprint.patch("/<name>")
@needs(Permission.ADMINISTER)
def change(name: str) -> Response:
    query.parameters({})
    here = services()
    users.change(here.engine, name, _body())
    here.access.forget()
    return jsonify(user(users.find(here.engine, name)))


@blueprint.delete("/<name>")
@needs(Permission.ADMINISTER)
def delete(name: str) -> tuple[str, int]:
    query.parameters({})
    here = services()
    users.remove(here.engine, name)
    here.access.forget()
    return "", 204


def _body() -> dict[str, Any]:
    body = events.parse(uploads.json_body(MAX_BODY), MAX_BODY)
    if not isinstance(body, dict):
        raise unprocessable("body", "an object with the user's fields is needed")
    return body


def user(row: Mapping[Any, Any]) -> dict[str, Any]:
    """As it is shown, without the password's hash."""
    return {
        "username": row["username"],
        "email": row["email"],
        "role": row["role"],
        "enabled": row["enabled"],
        "created_at": representation.moment(row["created_at"]),
        "last_login_at": representation.moment(row["last_login_at"]),
    }
