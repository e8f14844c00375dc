"""/api/session: log in, log out, show the session, change the own password."""

import contextlib
import ipaddress
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from handlers.body import uploads
from handlers.http import query
from handlers.http.problems import invalid_field, problem_response
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Body, Header, json_answer, operation
from handlers.resources import accounts
from handlers.security.authentication import cookie_name, is_cookie_secure, public
from handlers.services import Access, get_services
from workqueue.auth import password_change, sessions
from workqueue.auth.credentials import digest
from workqueue.auth.permissions import Permission, Principal

blueprint = Blueprint("session", __name__, url_prefix="/api/session")

MAX_BODY = 16 * 1024
MAX_ADDRESS_CHARACTERS = 64  # an IPv6 address may contain the name of an interface
LOGIN_DISABLED = "This installation has no login: LOCALFN_AUTH is none."
SET_COOKIE = Header("Set-Cookie", string(), "the session cookie")


@blueprint.get("")
@public
@operation("Show the session", json_answer(accounts.SESSION, "The user, if any, and whether a login is required."))
def show() -> Response:
    return _session_response(get_services().access, g.principal)


@blueprint.post("")
@public
@operation(
    "Log in",
    json_answer(accounts.SESSION, "The user and a session cookie.", headers=(SET_COOKIE,)),
    body=Body({"application/json": accounts.LOGIN}),
    errors=(400, 401, 409, 413, 415, 429),
)
def log_in() -> Response:
    services = get_services()
    if not services.access.needs_login:
        return problem_response(409, LOGIN_DISABLED)
    username, password = _read_fields("username", "password")
    login = sessions.log_in(services.engine, username, password, _client_address(), services.clock.now())
    if (before := request.cookies.get(cookie_name())) is not None:
        _end_session(before, everywhere=False)  # against session fixation
    return _start_session(login)


@blueprint.post("/password")
@public
@operation(
    "Change your own password",
    json_answer(accounts.SESSION, "The user and the cookie of a new session.", headers=(SET_COOKIE,)),
    description="Requires the old password. Ends all other sessions of the user. Not for API keys.",
    body=Body({"application/json": accounts.PASSWORD_CHANGE}),
    errors=(400, 401, 409, 413, 415, 429),
)
def change_password() -> Response:
    services, principal = get_services(), g.principal
    if not services.access.needs_login:
        return problem_response(409, LOGIN_DISABLED)
    if principal is None or principal.role is None:
        return problem_response(401, "Log in as a user first: a user can change only the own password.")
    old, new = _read_fields("old_password", "password")
    login = password_change.change(services.engine, principal.actor, old, new, _client_address(), services.clock.now())
    services.access.invalidate_cache()
    return _start_session(login)


def _client_address() -> str:
    """Return the IP address of the client; "unknown" if a proxy sent anything else, because the text is stored."""
    text = request.remote_addr or ""
    for candidate in (text, text.rpartition(":")[0].strip("[]")):  # some proxies add the port
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(candidate))[:MAX_ADDRESS_CHARACTERS]
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
    Answer(204, "The session has ended."),
    query={"everywhere": query.choice(("true", "false")).described("true: end all sessions of the user")},
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
    """Return two text fields of the body, which may have no others. Raises 422."""
    body = uploads.read_json_object(MAX_BODY, f"{first} and {second}")
    for name in (first, second):
        if not isinstance(body.get(name), str):
            raise invalid_field(name, "must be a text")
    for name in body:
        if name not in (first, second):
            raise invalid_field(name, f"is not a field of this body; use {first} and {second}")
    return body[first], body[second]


def _session_response(access: Access, principal: Principal | None) -> Response:
    user: dict[str, Any] | None = None
    if access.needs_login and principal is not None and principal.role is not None:
        user = {"username": principal.actor, "role": principal.role}
    permissions = [each for each in Permission if principal is not None and principal.may(each)]
    answer = jsonify(auth="required" if access.needs_login else "none", user=user, permissions=permissions)
    answer.headers["Cache-Control"] = "no-store"
    return answer
