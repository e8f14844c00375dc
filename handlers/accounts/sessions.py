"""/api/session: logging in, out, and asking who one is."""

import contextlib
import ipaddress
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import invalid_field, problem_response
from handlers.openapi import schemas_auth as shapes
from handlers.openapi.bodies import Body
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Header, json_answer, operation
from handlers.security.authentication import cookie_name, is_cookie_secure, public
from handlers.services import Access, get_services
from workqueue import event_json
from workqueue.auth import password_change, sessions
from workqueue.auth.credentials import digest
from workqueue.auth.permissions import Permission, Principal

blueprint = Blueprint("session", __name__, url_prefix="/api/session")

MAX_BODY = 16 * 1024
MAX_ADDRESS = 64  # characters; IPv6 with the name of an interface
LOGIN_DISABLED = "Nobody logs in here: LOCALFN_AUTH is none."
SET_COOKIE = Header("Set-Cookie", string(), "the session")


@blueprint.get("")
@public
@operation("Ask who is logged in", json_answer(shapes.SESSION, "Who, and whether anybody has to be."))
def show() -> Response:
    return _session_response(get_services().access, g.principal)


@blueprint.post("")
@public
@operation(
    "Log in",
    json_answer(shapes.SESSION, "Who, and a cookie.", headers=(SET_COOKIE,)),
    body=Body({"application/json": shapes.LOGIN}),
    refuses=(400, 401, 409, 413, 415, 429),
)
def log_in() -> Response:
    services = get_services()
    if not services.access.needs_login:
        return problem_response(409, LOGIN_DISABLED)
    username, password = _read_fields("username", "password")
    login = sessions.log_in(services.engine, username, password, _client_address(), services.clock.now())
    if (before := request.cookies.get(cookie_name())) is not None:
        _end_session(before, everywhere=False)  # whoever planted it has nothing of the new one, and the old one is over
    return _start_session(login)


@blueprint.post("/password")
@public
@operation(
    "Change your own password",
    json_answer(shapes.SESSION, "Who, and the cookie of a new session.", headers=(SET_COOKIE,)),
    description="It takes the old one, and ends every session of yours but the one that it gives. Not for keys.",
    body=Body({"application/json": shapes.PASSWORD_CHANGE}),
    refuses=(400, 401, 409, 413, 415, 429),
)
def change_password() -> Response:
    services, who = get_services(), g.principal
    if not services.access.needs_login:
        return problem_response(409, LOGIN_DISABLED)
    if who is None or who.role is None:
        return problem_response(401, "Log in first: a password is changed by the user whose it is.")
    old, new = _read_fields("old_password", "password")
    login = password_change.change(services.engine, who.actor, old, new, _client_address(), services.clock.now())
    services.access.invalidate_cache()
    return _start_session(login)


def _client_address() -> str:
    """Return the client's address; "unknown" where a proxy names something else: it is stored."""
    text = request.remote_addr or ""
    for found in (text, text.rpartition(":")[0].strip("[]")):  # some proxies add the port
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(found))[:MAX_ADDRESS]
    return "unknown"


def _start_session(login: sessions.Login) -> Response:
    services = get_services()
    g.actor = login.principal.actor
    answer = _session_response(services.access, login.principal)
    answer.set_cookie(
        cookie_name(),
        login.token,
        max_age=login.lifetime_s,
        httponly=True,
        samesite="Lax",
        secure=is_cookie_secure(),
        path="/",
    )
    return answer


@blueprint.delete("")
@public
@operation(
    "Log out",
    Answer(204, "The session is over."),
    query={"everywhere": query.choice(("true", "false")).described("true: every session of this user")},
)
def log_out(params: dict[str, Any]) -> Response:
    everywhere = params["everywhere"] == "true"
    if (token := request.cookies.get(cookie_name())) is not None:
        _end_session(token, everywhere=everywhere)
    answer = Response(status=204)
    answer.delete_cookie(cookie_name(), path="/", httponly=True, samesite="Lax", secure=is_cookie_secure())
    return answer


def _end_session(token: str, *, everywhere: bool) -> None:
    services = get_services()
    sessions.log_out(services.engine, digest(token), g.actor, everywhere=everywhere)
    services.access.invalidate_cache()


def _read_fields(first: str, second: str) -> tuple[str, str]:
    """The two texts of the body that have these names."""
    body = event_json.parse(uploads.read_json_body(MAX_BODY), MAX_BODY)
    if not isinstance(body, dict):
        raise invalid_field("body", f"an object with {first} and {second} is needed")
    for name in (first, second):
        if not isinstance(body.get(name), str):
            raise invalid_field(name, "a text is needed")
    for name in body:
        if name not in (first, second):
            raise invalid_field(name, f"unknown field; known here: {first}, {second}")
    return body[first], body[second]


def _session_response(access: Access, principal: Principal | None) -> Response:
    user: dict[str, Any] | None = None
    if access.needs_login and principal is not None and principal.role is not None:
        user = {"username": principal.actor, "role": principal.role}
    permissions = [each for each in Permission if principal is not None and principal.may(each)]
    answer = jsonify(auth="required" if access.needs_login else "none", user=user, permissions=permissions)
    answer.headers["Cache-Control"] = "no-store"
    return answer
