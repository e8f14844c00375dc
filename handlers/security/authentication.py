"""Authenticate the client and check its permission before every view.

A view names its permission by a decorator; a view without one requires an admin.
"""

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
# Browsers accept a cookie with this prefix over TLS only, for `/` and exactly this host: no subdomain can set it.
HOST_COOKIE = f"__Host-{COOKIE}"
View = TypeVar("View", bound=Callable[..., Any])
PERMISSION_ATTRIBUTE = "_localfn_need"
PUBLIC = "open"
CHALLENGE = 'Bearer realm="localfn"'
LOGIN_HINT = "Log in, or send an API key: Authorization: Bearer lfn_…"


def require(permission: Permission) -> Callable[[View], View]:
    """Require this permission for a view."""

    def decorate(view: View) -> View:
        setattr(view, PERMISSION_ATTRIBUTE, permission)
        return view

    return decorate


def public(view: View) -> View:
    """Make a view public: it requires no permission."""
    setattr(view, PERMISSION_ATTRIBUTE, PUBLIC)
    return view


def audit_entry(action: Action, subject: object = None, **details: Any) -> AuditEntry:
    """Return the audit entry of this call."""
    return AuditEntry(g.actor, action, None if subject is None else str(subject), details)


def install(app: Flask, authenticator: Authenticator | None) -> None:
    """Add authentication. authenticator: None without login; every client is then the admin `local`."""

    def check() -> Response | None:
        permission = required_permission()
        g.actor, g.principal = "anonymous", None
        principal = LOCAL if authenticator is None else identify(authenticator)
        if principal is not None:
            g.actor, g.principal = principal.actor, principal
        return None if permission == PUBLIC else check_permission(principal, permission)

    app.before_request(check)
    app.after_request(mark_private)


def mark_private(answer: Response) -> Response:
    """Mark authenticated responses private, so that no shared cache stores them and browsers revalidate them."""
    if g.get("principal") is not None:
        answer.headers.setdefault("Cache-Control", "private, no-cache")
    return answer


def required_permission() -> str:
    """Return the permission that the view of this call requires; PUBLIC without a view, where Flask answers 404."""
    if request.endpoint is None:
        return PUBLIC
    return permission_of(current_app.view_functions.get(request.endpoint))


def permission_of(view: Callable[..., Any] | None) -> str:
    """Return the permission that a view requires."""
    permission: str = getattr(view, PERMISSION_ATTRIBUTE, Permission.ADMINISTER)
    return permission


def is_cookie_secure() -> bool:
    """Return whether the session cookie is for TLS only: always in production, else if this call came over TLS."""
    return get_services().access.secure_cookie or request.is_secure


def cookie_name() -> str:
    """Return the name of the session cookie. Its path is always `/`, as the prefix __Host- demands."""
    return HOST_COOKIE if is_cookie_secure() else COOKIE


def identify(authenticator: Authenticator) -> Principal | None:
    """Return the principal of the API key or the session cookie. A wrong key is an error, even with a valid cookie."""
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, key = header.partition(" ")
        return authenticator.by_api_key(key.strip()) if scheme.lower() == "bearer" else None
    token = request.cookies.get(cookie_name())
    return authenticator.by_session_token(token) if token else None


def check_permission(principal: Principal | None, permission: str) -> Response | None:
    if principal is None:
        answer = problem_response(401, LOGIN_HINT)
        answer.headers["WWW-Authenticate"] = CHALLENGE
        return answer
    if not principal.may(Permission(permission)):
        return problem_response(403, f"{principal.actor!r} lacks the permission `{permission}`.")
    if principal.functions is not None:
        return _check_function_scope(principal)
    return None


def _check_function_scope(principal: Principal) -> Response | None:
    """Restrict a key for some functions to these functions and their requests."""
    arguments = request.view_args or {}
    if request.blueprint in ("functions", "invocations") and "name" in arguments:
        is_allowed = principal.may_call(arguments["name"])
    elif request.blueprint in ("requests", "files") and "id" in arguments:
        is_allowed = _may_see_request(principal, arguments["id"])
    else:
        is_allowed = request.endpoint == "requests.show_all" and principal.may_call(request.args.get("function", ""))
    if is_allowed:
        return None
    return problem_response(
        403, f"{principal.actor!r} may use only these functions: {', '.join(sorted(principal.functions or ()))}."
    )


def _may_see_request(principal: Principal, id: str) -> bool:
    """Return whether the key may see the request. A request of another function is answered with 404.

    Raises UnknownRequestError.
    """
    request_id = query.parse_request_id(id)
    if not principal.may_call(queries.find_function_name(get_services().engine, request_id)):
        raise queries.unknown_request(request_id)
    return True
