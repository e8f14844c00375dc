"""The routes below /rq/: check the permission, then call rq-dashboard."""

from io import BytesIO
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request, url_for
from redis import Redis
from redis.exceptions import RedisError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from handlers.dashboard import page_isolation
from handlers.dashboard.isolated_app import KINDS, Kind, make_isolated_app
from handlers.http.problems import problem_response, retryable_problem
from handlers.security.authentication import public, require
from handlers.security.origin_check import OriginCheck, readable_by_any_page
from workqueue.auth.permissions import Permission
from workqueue.transport.circuit_breaker import TIMEOUT_S

blueprint = Blueprint("rq_dashboard", __name__, url_prefix="/rq")

EXTENSION = "localfn-dashboard"
ONE_DAY = "public, max-age=86400"
COPIED_HEADERS = ("Allow", "Cache-Control", "Content-Type", "ETag", "Last-Modified", "Location", "Retry-After")
CONDITIONS = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH")


def install(app: Flask, redis_url: str, origin_check: OriginCheck) -> None:
    """Add rq-dashboard to the application, below /rq/. redis_url: the Redis with the keys of RQ."""
    timeouts: dict[str, Any] = {"socket_connect_timeout": TIMEOUT_S, "socket_timeout": TIMEOUT_S}
    app.extensions[EXTENSION] = make_isolated_app(redis_url, origin_check), Redis.from_url(redis_url, **timeouts)
    app.register_blueprint(blueprint)
    app.register_error_handler(RedisError, unavailable)


def unavailable(_: RedisError) -> Response:
    """Answer a call for which Redis is unavailable."""
    return retryable_problem(503, "Redis is unavailable; try again.")


@blueprint.get("/", defaults={"path": ""})
@blueprint.get("/<path:path>")
@require(Permission.READ)
def show(path: str) -> Response:
    """Return a page to a browser, or data to a program."""
    answer = _copy_response(_call_dashboard(path, Kind.PAGE, Kind.DATA, Kind.FILE))
    if answer.mimetype == "text/html":
        _, redis = current_app.extensions[EXTENSION]
        page_isolation.isolate_page(answer, url_for("rq_dashboard.show"), page_isolation.issue(redis))
    return answer


@blueprint.post("/<path:path>")
@require(Permission.OPERATE)
def change(path: str) -> Response:
    """Move bells for a program. The pages of rq-dashboard cannot call this."""
    return _reject_page(_copy_response(_call_dashboard(path, Kind.CHANGE)))


@blueprint.get("/~<capability>/", defaults={"path": ""})
@blueprint.get("/~<capability>/<path:path>")
@public
@readable_by_any_page
def data(capability: str, path: str) -> Response:
    """Answer the poll of a page. A sandboxed page sends no cookie, so a capability in the path authorizes it."""
    _, redis = current_app.extensions[EXTENSION]
    if not page_isolation.is_valid(redis, capability):
        return problem_response(403, "This page of rq-dashboard has expired; reload it.")
    return _reject_page(_copy_response(_call_dashboard(path, Kind.DATA)))


@blueprint.get("/static/<path:name>")
@blueprint.get("/favicon.ico", defaults={"name": ""})
@public
@readable_by_any_page
def file(name: str) -> Response:
    """Return a file of the rq-dashboard package; its files are public."""
    answer = _reject_page(_copy_response(_call_dashboard(f"static/{name}" if name else "favicon.ico", Kind.FILE)))
    if answer.status_code in (200, 304):
        answer.headers["Cache-Control"] = ONE_DAY
    return answer


def _call_dashboard(path: str, *kinds: Kind) -> AnyResponse:
    """Call rq-dashboard with a method and a path, without cookie, API key, body, query, or header about the client."""
    isolated_app, _ = current_app.extensions[EXTENSION]
    outer = request.environ
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": outer.get("SCRIPT_NAME", "") + "/rq",
        "PATH_INFO": f"/{path}".encode().decode("latin-1"),
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.input": BytesIO(),
        "wsgi.errors": outer["wsgi.errors"],
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        KINDS: kinds,
    }
    for name in ("SERVER_NAME", "SERVER_PORT", "HTTP_HOST", "wsgi.url_scheme", *CONDITIONS):
        if name in outer:
            environ[name] = outer[name]
    return AnyResponse.from_app(isolated_app, environ, buffered=True)


def _copy_response(source: AnyResponse) -> Response:
    """Copy the body and some headers, and escape HTML in data."""
    answer = Response(source.get_data(), status=source.status_code)
    for name in COPIED_HEADERS:
        if name in source.headers:
            answer.headers[name] = source.headers[name]
    if answer.mimetype == "application/json" and request.method != "HEAD":
        page_isolation.escape_data(answer)
    return answer


def _reject_page(answer: Response) -> Response:
    """Raise NotFound for a page, which would contain a capability."""
    if answer.mimetype == "text/html":
        raise NotFound("rq-dashboard has no such page.")
    return answer
