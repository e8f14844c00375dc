"""Run rq-dashboard as a separate application: each call gets a method and a path, and nothing else.

It has only the routes, arguments and RQ classes that are listed here.
"""

import logging
import re
import warnings
from enum import StrEnum
from types import FunctionType, ModuleType
from typing import Any, NoReturn

from flask import Flask, Response, current_app, jsonify, request
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.serializers import JSONSerializer
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.local import LocalProxy

from handlers.dashboard.read_only_redis import ReadOnlyRedis
from handlers.http.problems import problem_response, retryable_problem
from handlers.security.origin_check import OriginCheck
from handlers.security.secured_app import make_app
from workqueue.errors import WorkqueueError
from workqueue.transport.circuit_breaker import TIMEOUT_S
from workqueue.transport.safe_job import JOB_ID, QUEUE_NAME, SafeJob
from workqueue.transport.safe_queue import REGISTRIES, SafeQueue, SafeWorker, requeue, requeue_all

log = logging.getLogger(__name__)

KINDS = "localfn.rq.kinds"  # in the environ of a call: the allowed kinds of answer


class Kind(StrEnum):
    """The kind of answer that a route of rq-dashboard gives."""

    PAGE = "page"
    DATA = "data"
    FILE = "file"
    CHANGE = "change"


ROUTES = {
    "rq_dashboard.queues_overview": Kind.PAGE,
    "rq_dashboard.workers_overview": Kind.PAGE,
    "rq_dashboard.jobs_overview": Kind.PAGE,
    "rq_dashboard.job_view": Kind.PAGE,
    "rq_dashboard.list_queues": Kind.DATA,
    "rq_dashboard.list_jobs": Kind.DATA,
    "rq_dashboard.list_workers": Kind.DATA,
    "rq_dashboard.job_info": Kind.DATA,
    "rq_dashboard.static": Kind.FILE,
    "rq_dashboard.favicon": Kind.FILE,
    "rq_dashboard.delete_job_view": Kind.CHANGE,
    "rq_dashboard.requeue_job_view": Kind.CHANGE,
    "rq_dashboard.requeue_all": Kind.CHANGE,
    "rq_dashboard.empty_queue": Kind.CHANGE,
    "rq_dashboard.compact_queue": Kind.CHANGE,
}
ARGUMENTS = {
    "filename": re.compile(r"(?:css|js)/[a-z0-9]+(?:[.-][a-z0-9]+)*"),
    "instance_number": re.compile(r"0"),
    "job_id": JOB_ID,
    "order": re.compile(r"asc|dsc"),
    "page": re.compile(r"[1-9][0-9]{0,5}"),
    "per_page": re.compile(r"[1-9][0-9]{0,2}"),
    "queue_name": QUEUE_NAME,
    "registry_name": re.compile(r"queued|scheduled|deferred|started|finished|failed|canceled"),
}
# Replacements for the RQ classes in the module of rq-dashboard. HARMLESS: these neither read nor load Redis data.
READERS: dict[str, Any] = {
    "DefaultSerializer": JSONSerializer,
    "Job": SafeJob,
    "Queue": SafeQueue,
    "Worker": SafeWorker,
    "requeue_job": requeue,
    **REGISTRIES,
}
HARMLESS = frozenset({"BaseRegistry", "NoSuchJobError", "get_call_string"})


def make_isolated_app(redis_url: str, origin_check: OriginCheck) -> Flask:
    """Return the application. redis_url: the Redis of the jobs; rq-dashboard shows only host, port and database."""
    app = make_app("rq-dashboard", origin_check)
    web = _dashboard()
    app.select_jinja_autoescape = lambda filename: True  # type: ignore[method-assign]  # noqa: ARG005  # its scripts are templates too
    app.add_url_rule("/<path:filename>", "static", build_only=True)  # its templates build the URL of the icon
    timeouts: dict[str, Any] = {"socket_connect_timeout": TIMEOUT_S, "socket_timeout": TIMEOUT_S}
    reading, acting = ReadOnlyRedis.from_url(redis_url, **timeouts), Redis.from_url(redis_url, **timeouts)
    # One client for each call: rq-dashboard sets the attribute in every call, which is not safe for threads.
    app.redis_conn = LocalProxy(lambda: acting if request.method == "POST" else reading)  # type: ignore[attr-defined]
    app.config["RQ_DASHBOARD_REDIS_URL"] = (_address(reading),)
    app.before_request(check_route)
    for error, handler in ERROR_HANDLERS.items():
        app.register_error_handler(error, handler)
    app.register_blueprint(web.blueprint)
    app.view_functions["rq_dashboard.requeue_all"] = requeue_failed
    return app


def _dashboard() -> Any:
    """Import the module of rq-dashboard and replace its RQ classes by READERS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies use deprecated names
        from rq_dashboard import web
    for name in rq_names(web):
        if name not in HARMLESS:
            setattr(web, name, READERS.get(name, _UnlistedClass(name)))
    web.config.serializer = JSONSerializer
    web.from_url = lambda *_, **__: (None, current_app.redis_conn)  # type: ignore[attr-defined]
    return web


def rq_names(module: Any) -> list[str]:
    """Return the names in a module that refer to objects of RQ or to READERS."""
    return [
        name
        for name, value in vars(module).items()
        if name in READERS or defining_module(value).partition(".")[0] == "rq"
    ]


def defining_module(value: Any) -> str:
    """Return the module that defines a class, a function or the class of an instance; for a module, its name."""
    if type(value) is ModuleType:
        return value.__name__
    definition: Any = value if type(value) in (type, FunctionType) or issubclass(type(value), type) else type(value)
    return str(definition.__module__)


class _UnlistedClass:
    """Replace an RQ class that is not listed in READERS; any use of it fails."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> NoReturn:
        raise WorkqueueError(f"rq-dashboard uses {self._name}.{attribute} of rq, which is not in READERS.")

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise WorkqueueError(f"rq-dashboard calls {self._name} of rq, which is not in READERS.")


def _address(redis: Redis) -> str:
    options = redis.connection_pool.connection_kwargs
    address = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return f"{address}, database {options.get('db') or 0}"


def check_route() -> None:
    """Reject unlisted routes and arguments. Raises NotFound, MethodNotAllowed."""
    if request.url_rule is None:
        return  # Flask answers with 404 or 405
    kind = ROUTES.get(request.url_rule.endpoint)
    if kind is None or not _are_valid(request.view_args or {}):
        raise NotFound("rq-dashboard has no such page.")
    if kind is Kind.CHANGE and request.method != "POST":
        raise MethodNotAllowed(valid_methods=["POST"], description="This call changes data; use POST.")
    if kind not in request.environ.get(KINDS, ()):
        raise NotFound("rq-dashboard has no such page.")


def _are_valid(arguments: dict[str, Any]) -> bool:
    """Return whether every argument matches its pattern. None is the default of a route."""
    return all(
        name in ARGUMENTS and (value is None or ARGUMENTS[name].fullmatch(str(value)))
        for name, value in arguments.items()
    )


def requeue_failed(queue_name: str) -> Response:
    """Requeue all failed jobs of a queue. The view of rq-dashboard stops at the first unreadable job."""
    moved, skipped = requeue_all(queue_name, current_app.redis_conn)  # type: ignore[attr-defined]
    return jsonify(status="OK", count=moved, skipped=skipped)


def _handle_missing_job(error: Exception) -> Response:  # noqa: ARG001 - the reason is in Redis
    return problem_response(404, "There is no such job in Redis.")


def _handle_invalid_state(error: Exception) -> Response:  # noqa: ARG001
    return problem_response(409, "The state of the job or queue does not allow this.")


def _handle_redis_error(error: RedisError) -> Response:
    log.warning("Redis is unavailable", extra={"error": str(error)})
    return retryable_problem(503, "Redis is unavailable; try again.")


def _handle_unexpected_error(error: Exception) -> Response:
    log.error("rq-dashboard failed", exc_info=error)
    return problem_response(502, "rq-dashboard failed on the data in Redis; the log of localfn holds the traceback.")


ERROR_HANDLERS: dict[type[Exception], Any] = {
    NoSuchJobError: _handle_missing_job,
    InvalidJobOperation: _handle_invalid_state,
    ResponseError: _handle_invalid_state,
    RedisError: _handle_redis_error,
    Exception: _handle_unexpected_error,
}
