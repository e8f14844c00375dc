"""/api/session: logging in, out, and asking who one is."""

import contextlib
import ipaddress
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import problem, unprocessable
from handlers.openapi import schemas_auth as shapes
from handlers.openapi.bodies import Body
from handlers.openapi.json_schema import text
from handlers.openapi.operation import Answer, Header, json_answer, operation
from handlers.security.authentication import cookie_name, is_cookie_secure, public
from handlers.services import Access, services
from workqueue import event_json
from workqueue.auth import password_change, sessions
from workqueue.auth.credentials import digest
from workqueue.auth.permissions import Permission, Principal

blueprint = Blueprint("session", __name__, url_prefix="/api/session")

MAX_BODY = 16 * 1024
MAX_ADDRESS = 64  # characters; IPv6 with the name of an interface
NOBODY = "Nobody logs in here: LOCALFN_AUTH is none."
COOKIE_SET = Header("Set-Cookie", text(), "the session")


@blueprint.get("")
@public
@operation("Ask who is logged in", json_answer(shapes.SESSION, "Who, and whether anybody has to be."))
def show() -> Response:
    return _told(services().access, g.principal)


@blueprint.post("")
@public
@operation(
    "Log in",
    json_answer(shapes.SESSION, "Who, and a cookie.", headers=(COOKIE_SET,)),
    body=Body({"application/json": shapes.LOGIN}),
    refuses=(400, 401, 409, 413, 415, 429),
)
def log_in() -> Response:
    here = services()
    if not here.access.needs_login:
        return problem(409, NOBODY)
    username, password = _posted("username", "password")
    login = sessions.log_in(here.engine, username, password, _address(), here.clock.now())
    if (before := request.cookies.get(cookie_name())) is not None:
        _end(before, everywhere=False)  # whoever planted it has nothing of the new one, and the old one is over
    return _begun(login)


@blueprint.post("/password")
@public
@operation(
    "Change your own password",
    json_answer(shapes.SESSION, "Who, and the cookie of a new session.", headers=(COOKIE_SET,)),
    description="It takes the old one, and ends every session of yours but the one that it gives. Not for keys.",
    body=Body({"application/json": shapes.PASSWORD_CHANGE}),
    refuses=(400, 401, 409, 413, 415, 429),
)
def change_password() -> Response:
    here, who = services(), g.principal
    if not here.access.needs_login:
        return problem(409, NOBODY)
    if who is None or who.role is None:
        return problem(401, "Log in first: a password is changed by the user whose it is.")
    old, new = _posted("old_password", "password")
    login = password_change.change(here.engine, who.actor, old, new, _address(), here.clock.now())
    here.access.forget()
    return _begun(login)


def _address() -> str:
    """Return the client's address; "unknown" where a proxy names something else: it is stored."""
    text = request.remote_addr or ""
    for found in (text, text.rpartition(":")[0].strip("[]")):  # some proxies add the port
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(found))[:MAX_ADDRESS]
    return "unknown"


def _begun(login: sessions.Login) -> Response:
    here = services()
    g.actor = login.principal.actor
    answer = _told(here.access, login.principal)
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
    query={"everywhere": query.one_of(("true", "false")).about("true: every session of this user")},
)
def log_out(wanted: dict[str, Any]) -> Response:
    everywhere = wanted["everywhere"] == "true"
    if (token := request.cookies.get(cookie_name())) is not None:
        _end(token, everywhere=everywhere)
    answer = Response(status=204)
    answer.delete_cookie(cookie_name(), path="/", httponly=True, samesite="Lax", secure=is_cookie_secure())
    return answer


def _end(token: str, *, everywhere: bool) -> None:
    here = services()
    sessions.log_out(here.engine, digest(token), g.actor, everywhere=everywhere)
    here.access.forget()


def _posted(first: str, second: str) -> tuple[str, str]:
    """The two texts of the body that have these names."""
    body = event_json.parse(uploads.json_body(MAX_BODY), MAX_BODY)
    if not isinstance(body, dict):
        raise unprocessable("body", f"an object with {first} and {second} is needed")
    for name in (first, second):
        if not isinstance(body.get(name), str):
            raise unprocessable(name, "a text is needed")
    for name in body:
        if name not in (first, second):
            raise unprocessable(name, f"unknown field; known here: {first}, {second}")
    return body[first], body[second]


def _told(access: Access, principal: Principal | None) -> Response:
    user: dict[str, Any] | None = None
    if access.needs_login and principal is not None and principal.role is not None:
        user = {"username": principal.actor, "role": principal.role}
    permissions = [each for each in Permission if principal is not None and principal.may(each)]
    answer = jsonify(auth="required" if access.needs_login else "none", user=user, permissions=permissions)
    answer.headers["Cache-Control"] = "no-store"
    return answer
