"""rq-dashboard as an application of its own: each call gets a method and a path, and nothing else.

Refused by default: a route, an argument or a class of RQ that is not listed here does not exist for it.
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
from handlers.http.problems import problem_response
from handlers.security.origin_check import OriginCheck
from handlers.security.secured_app import make_app
from workqueue.errors import WorkqueueError
from workqueue.transport.circuit_breaker import TIMEOUT_S
from workqueue.transport.safe_job import JOB_ID, QUEUE_NAME, SafeJob
from workqueue.transport.safe_queue import REGISTRIES, SafeQueue, SafeWorker, requeue, requeue_all

log = logging.getLogger(__name__)

KINDS = "localfn.rq.kinds"  # in a call's environ: the kinds that it may get


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
# What rq-dashboard's module has of RQ, by its name there. HARMLESS: neither reads Redis nor loads what stands in it.
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
    """Make the application. redis_url: the Redis of the jobs; rq-dashboard sees only host, port and number."""
    app = make_app("rq-dashboard", origin_check)
    web = _dashboard()
    app.select_jinja_autoescape = lambda filename: True  # type: ignore[method-assign]  # noqa: ARG005  # its scripts are templates, too
    app.add_url_rule("/<path:filename>", "static", build_only=True)  # its pages ask for the icon's address
    timeouts: dict[str, Any] = {"socket_connect_timeout": TIMEOUT_S, "socket_timeout": TIMEOUT_S}
    reading, acting = ReadOnlyRedis.from_url(redis_url, **timeouts), Redis.from_url(redis_url, **timeouts)
    # A call's own: rq-dashboard sets the attribute anew in each, in all threads.
    app.redis_conn = LocalProxy(lambda: acting if request.method == "POST" else reading)  # type: ignore[attr-defined]
    app.config["RQ_DASHBOARD_REDIS_URL"] = (_address(reading),)
    app.before_request(check_route)
    for kind, answer in ERRORS.items():
        app.register_error_handler(kind, answer)
    app.register_blueprint(web.blueprint)
    app.view_functions["rq_dashboard.requeue_all"] = requeue_failed
    return app


def _dashboard() -> Any:
    """Import rq-dashboard's module, and give it our readers in the place of RQ's classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies use names that Python is about to drop
        from rq_dashboard import web
    for name in rq_names(web):
        if name not in HARMLESS:
            setattr(web, name, READERS.get(name, _Unknown(name)))
    web.config.serializer = JSONSerializer
    web.from_url = lambda *_, **__: (None, current_app.redis_conn)  # type: ignore[attr-defined]
    return web


def rq_names(module: Any) -> list[str]:
    """Return the names in a module under which something of RQ, or of our readers, can be reached."""
    return [
        name
        for name, value in vars(module).items()
        if name in READERS or defining_module(value).partition(".")[0] == "rq"
    ]


def defining_module(value: Any) -> str:
    """Return the module in which a class, a function or the class of an instance was made; a module's own name."""
    if type(value) is ModuleType:
        return value.__name__
    made: Any = value if type(value) in (type, FunctionType) or issubclass(type(value), type) else type(value)
    return str(made.__module__)


class _Unknown:
    """Stands in the place of a part of RQ that no version known to us uses."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> NoReturn:
        raise WorkqueueError(f"rq-dashboard asks for rq's {self._name}.{attribute}, which is not among its readers.")

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise WorkqueueError(f"rq-dashboard calls rq's {self._name}, which is not among its readers.")


def _address(redis: Redis) -> str:
    told = redis.connection_pool.connection_kwargs
    place = told.get("path") or f"{told.get('host', 'localhost')}:{told.get('port', 6379)}"
    return f"{place}, database {told.get('db') or 0}"


def check_route() -> None:
    """Refuse unlisted routes and arguments. Raises NotFound, MethodNotAllowed."""
    if request.url_rule is None:
        return  # Flask answers
    kind = ROUTES.get(request.url_rule.endpoint)
    if kind is None or not _are_valid(request.view_args or {}):
        raise NotFound("rq-dashboard has no such page.")
    if kind is Kind.CHANGE and request.method != "POST":
        raise MethodNotAllowed(valid_methods=["POST"], description="This changes something: it takes a POST.")
    if kind not in request.environ.get(KINDS, ()):
        raise NotFound("rq-dashboard has no such page.")


def _are_valid(arguments: dict[str, Any]) -> bool:
    """Tell whether every argument has its pattern. None is a route's own default."""
    return all(
        name in ARGUMENTS and (value is None or ARGUMENTS[name].fullmatch(str(value)))
        for name, value in arguments.items()
    )


def requeue_failed(queue_name: str) -> Response:
    """Put all failed jobs of a queue back. rq-dashboard's own ends at the first one that cannot be read."""
    moved, skipped = requeue_all(queue_name, current_app.redis_conn)  # type: ignore[attr-defined]
    return jsonify(status="OK", count=moved, skipped=skipped)


def _not_there(error: Exception) -> Response:  # noqa: ARG001 - what was wrong with it stands in Redis
    return problem_response(404, "There is no such job.")


def _not_now(error: Exception) -> Response:  # noqa: ARG001
    return problem_response(409, "The job or the queue is not in a state in which this can be done.")


def _no_redis(error: RedisError) -> Response:
    log.warning("Redis failed", extra={"error": str(error)})
    answer = problem_response(503, "Redis is unavailable; try again.")
    answer.headers["Retry-After"] = "2"
    return answer


def _failed(error: Exception) -> Response:
    log.error("rq-dashboard failed", exc_info=error)
    return problem_response(502, "rq-dashboard failed at what stands in Redis; the log of localfn says more.")


ERRORS: dict[type[Exception], Any] = {
    NoSuchJobError: _not_there,
    InvalidJobOperation: _not_now,
    ResponseError: _not_now,
    RedisError: _no_redis,
    Exception: _failed,
}
