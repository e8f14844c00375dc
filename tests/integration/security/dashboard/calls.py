"""Call every route of rq-dashboard with good and hostile arguments, and write jobs into Redis."""

import pickle
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import redis
from flask import Flask
from werkzeug.routing import Rule

from handlers.dashboard import routes

LOADED: list[str] = []  # Pickles that were loaded since the test started.


JOB_FIELDS = re.findall(
    r"\w+",
    """
    data meta result exc_info description origin status created_at enqueued_at started_at ended_at last_heartbeat
    timeout ttl result_ttl failure_ttl worker_name group_id dependency_id dependency_ids allow_dependency_failures
    success_callback_name failure_callback_name stopped_callback_name success_callback_timeout
    failure_callback_timeout stopped_callback_timeout webhooks number_of_retries retries_left retry_intervals
    repeats_left repeat_intervals enqueue_at_front enqueue_at_front_on_retry rate_limit_key rate_limit_concurrency
    """,
)


REGISTRIES = ("wip", "finished", "failed", "deferred", "scheduled", "canceled", "ready")


GOOD = {
    "filename": "css/main.css",
    "instance_number": 0,
    "job_id": "a-job",
    "order": "asc",
    "page": 1,
    "per_page": 8,
    "queue_name": "default",
    "registry_name": "failed",
}


HOSTILE = (
    "'", '"', "\\", "`", "<script>alert(1)</script>", "');alert(1);('", "</script>", "<img src=x onerror=alert(1)>",
    "{{7*7}}", "<%=7*7%>", "%3Cscript%3E", "../../etc/passwd", "..", ".", "a\n", "a\0", "é", "\u2028", "a b", "*", "-1",
    "0x1", "1e9", "99999999999999999999", "x" * 300, "a:b", "a;b", "a,b", "a'b", "jobs.json",
)  # fmt: skip


class Bomb:
    def __reduce__(self) -> Any:
        return print, ("a pickle was loaded",)


BOMB = pickle.dumps(Bomb())


def record_unpickling(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        LOADED.append(".".join(arguments))


def rules(app: Flask) -> list[Rule]:
    """Return all rules of rq-dashboard's own URL map."""
    inner, _ = app.extensions[routes.EXTENSION]
    return [rule for rule in inner.url_map.iter_rules() if not rule.build_only]


def calls(app: Flask, **changed: Any) -> Iterator[tuple[str, str]]:
    """Return method and path of every call. changed: the values of arguments that are not good ones."""
    for rule in rules(app):
        if all(f"{name}>" in rule.rule for name in changed):
            path = address(rule, GOOD | changed)
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                yield method, f"/rq{path}"


def address(rule: Rule, values: dict[str, Any]) -> str:
    def fill(found: re.Match[str]) -> str:
        return quote(str(values[found[1]]), safe="/" if found[1] == "filename" else "")

    return re.sub(r"<(?:\w+:)?(\w+)>", fill, rule.rule)


def put(client: redis.Redis, job_id: str, fields: dict[str, Any], status: str = "failed") -> None:
    """Write a job into Redis, into every registry of its queue and into the queue."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    usual: dict[Any, Any] = {"created_at": moment, "data": '["f", null, [], {}]', "origin": "default", "status": status}
    client.delete(f"rq:job:{job_id}")
    client.hset(f"rq:job:{job_id}", mapping=usual | fields)
    for registry in REGISTRIES:
        client.zadd(f"rq:{registry}:default", {f"{job_id}:x" if registry == "wip" else job_id: 1})
    client.lrem("rq:queue:default", 0, job_id)
    client.rpush("rq:queue:default", job_id)
    client.sadd("rq:queues", "rq:queue:default")
