"""Who calls, and whether he may: asked before every handler. What a route needs stands above it; else an admin."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request

from handlers.http import query
from handlers.http.problems import problem_response
from handlers.services import get_services
from workqueue.audit import Action, AuditEntry
from workqueue.auth.authenticator import Authenticator
from workqueue.auth.permissions import LOCAL, Permission, Principal
from workqueue.requests import queries

COOKIE = "localfn_session"
# Browsers take a cookie of this name over TLS only, for `/` and this very host: no subdomain can plant one.
HOST_COOKIE = f"__Host-{COOKIE}"
View = TypeVar("View", bound=Callable[..., Any])
PERMISSION_ATTRIBUTE = "_localfn_need"
PUBLIC = "open"  # to everybody
CHALLENGE = 'Bearer realm="localfn"'
LOGIN_HINT = "Log in, or send an API key: Authorization: Bearer lfn_…"


def require(permission: Permission) -> Callable[[View], View]:
    """Above a view: who calls it must have this permission."""

    def note(view: View) -> View:
        setattr(view, PERMISSION_ATTRIBUTE, permission)
        return view

    return note


def public(view: View) -> View:
    """Above a view: nobody is asked who he is."""
    setattr(view, PERMISSION_ATTRIBUTE, PUBLIC)
    return view


def audit_entry(action: Action, subject: object = None, **details: Any) -> AuditEntry:
    """What the audit says of this call."""
    return AuditEntry(g.actor, action, None if subject is None else str(subject), details)


def install(app: Flask, authenticator: Authenticator | None) -> None:
    """authenticator: None when nobody has to log in."""

    def check() -> Response | None:
        needed = required_permission()
        g.actor, g.principal = "anonymous", None
        found = LOCAL if authenticator is None else identify(authenticator)
        if found is not None:
            g.actor, g.principal = found.actor, found
        return None if needed == PUBLIC else check_permission(found, needed)

    app.before_request(check)
    app.after_request(mark_private)


def mark_private(answer: Response) -> Response:
    """What is told to somebody who said who he is no cache on the way keeps for others; his browser asks each time."""
    if g.get("principal") is not None:
        answer.headers.setdefault("Cache-Control", "private, no-cache")
    return answer


def required_permission() -> str:
    """What the route of this call needs. One that says nothing is an admin's; where there is none, nothing is done."""
    if request.endpoint is None:
        return PUBLIC
    return permission_of(current_app.view_functions.get(request.endpoint))


def permission_of(view: Callable[..., Any] | None) -> str:
    """What a view says that it needs."""
    found: str = getattr(view, PERMISSION_ATTRIBUTE, Permission.ADMINISTER)
    return found


def is_cookie_secure() -> bool:
    """Tell whether the session's cookie is for TLS only: in production always, else where the call came over TLS."""
    return get_services().access.secure_cookie or request.is_secure


def cookie_name() -> str:
    """Return the name of the session's cookie. Its path is `/`, below a sub-path too, so the prefix always fits."""
    return HOST_COOKIE if is_cookie_secure() else COOKIE


def identify(authenticator: Authenticator) -> Principal | None:
    """Who sends this key or this cookie. A key counts for itself: a wrong one is not made good by a cookie."""
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, key = header.partition(" ")
        return authenticator.by_api_key(key.strip()) if scheme.lower() == "bearer" else None
    token = request.cookies.get(cookie_name())
    return authenticator.by_session_token(token) if token else None


def check_permission(found: Principal | None, needed: str) -> Response | None:
    if found is None:
        answer = problem_response(401, LOGIN_HINT)
        answer.headers["WWW-Authenticate"] = CHALLENGE
        return answer
    if not found.may(Permission(needed)):
        return problem_response(403, f"{found.actor} may not do this: it needs the permission `{needed}`.")
    if found.functions is not None:
        return _check_function_scope(found)
    return None


def _check_function_scope(found: Principal) -> Response | None:
    """A key for some functions calls these, and sees what became of it; nothing else."""
    arguments = request.view_args or {}
    if request.blueprint == "functions" and "name" in arguments:
        is_within = found.may_call(arguments["name"])
    elif request.blueprint in ("requests", "files") and "id" in arguments:
        is_within = _may_see_request(found, arguments["id"])
    else:
        is_within = request.endpoint == "requests.show_all" and found.may_call(request.args.get("function", ""))
    if is_within:
        return None
    return problem_response(
        403, f"{found.actor} is for these functions only: {', '.join(sorted(found.functions or ()))}."
    )


def _may_see_request(found: Principal, id: str) -> bool:
    """Whether the key may see the request. One of another function is answered as one that is not there.

    Raises UnknownRequestError.
    """
    request_id = query.parse_request_id(id)
    if not found.may_call(queries.find_function_name(get_services().engine, request_id)):
        raise queries.unknown_request(request_id)
    return True
