"""rq-dashboard at /rq/: reads JSON jobs, changes nothing by GET, and runs no script that came with a job.

Its pages put what a job says into themselves as HTML. A job's error text may hold what a stranger posted, so the pages
get a policy under which only the scripts that the server sent may run.
"""

import re
import secrets
import warnings
from functools import partial
from typing import Any

from flask import Flask, Response, json, request
from markupsafe import escape
from rq.exceptions import NoSuchJobError
from werkzeug.exceptions import MethodNotAllowed

from handlers.problems import problem
from workqueue.access.principals import Permission
from workqueue.workers.bell_job import BellJob, BellQueue, BellWorker

BLUEPRINT = "rq_dashboard"
CHANGING_GET = "rq_dashboard.requeue_all"
JOB_DATA = "rq_dashboard.job_info"
BOOKS = ("Canceled", "Deferred", "Failed", "Finished", "Scheduled", "Started")
SCRIPT = re.compile(rb"<script\b", re.IGNORECASE)
# Its templates are compiled in the browser, hence unsafe-eval; styles stand in attributes.
POLICY = (
    "default-src 'self'; script-src 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def mount(app: Flask, redis_url: str) -> None:
    """redis_url: it opens connections of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies use names that Python is about to drop
        import rq_dashboard
        from rq.serializers import JSONSerializer

        rq_dashboard.web.config.serializer = JSONSerializer
        app.config.from_object(rq_dashboard.default_settings)
        app.config["RQ_DASHBOARD_REDIS_URL"] = redis_url
        rq_dashboard.web.setup_rq_connection(app)
        trust_no_job(rq_dashboard.web)
    app.register_blueprint(rq_dashboard.blueprint, url_prefix="/rq")
    app.register_error_handler(NoSuchJobError, lambda _: problem(404, "There is no such job."))
    app.before_request(refuse_changing_get)
    app.after_request(disarm)


def trust_no_job(web: Any) -> None:
    """It reads jobs by RQ's own classes, which unpickle and call what somebody wrote into Redis; now by ours."""
    web.Job, web.Queue, web.Worker = BellJob, BellQueue, BellWorker
    for name in (f"{book}JobRegistry" for book in BOOKS):
        setattr(web, name, partial(getattr(web, name), job_class=BellJob))


def permission() -> Permission:
    """What a call of the dashboard needs."""
    return Permission.READ if request.method in ("GET", "HEAD", "OPTIONS") else Permission.OPERATE


def refuse_changing_get() -> None:
    if request.endpoint == CHANGING_GET and request.method != "POST":
        raise MethodNotAllowed(valid_methods=["POST"], description="This changes something: it takes a POST.")


def disarm(answer: Response) -> Response:
    """Its pages get the policy, and of what a job says all that would be HTML is made text."""
    if request.blueprint != BLUEPRINT:
        return answer
    if answer.mimetype == "text/html":
        nonce = secrets.token_urlsafe(16)
        answer.set_data(SCRIPT.sub(b'<script nonce="' + nonce.encode() + b'"', answer.get_data()))
        answer.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce)
    elif request.endpoint == JOB_DATA and answer.is_json:
        answer.set_data(json.dumps(_escaped(answer.get_json())))
    return answer


def _escaped(value: object) -> object:
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return str(escape(value)) if isinstance(value, str) else value
