"""Isolate rq-dashboard: with any data in Redis or in a URL it runs nothing, shows no secret, and never fails.

The tests read routes and arguments from its URL map, so they try a new version's routes like all others, and the
first test fails until they are listed.
"""

import ast
import inspect
import json
import pickle
import re
import subprocess
import sys
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import redis
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from handlers.dashboard import isolated_app, page_isolation, routes
from handlers.dashboard.isolated_app import ARGUMENTS, HARMLESS, READERS, ROUTES, Kind
from handlers.security.origin_check import AllowedHosts, OriginCheck
from handlers.security.secured_app import make_app
from workqueue.transport import redis_keys

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


sys.addaudithook(record_unpickling)


@pytest.fixture(autouse=True)
def nothing_is_unpickled() -> Iterator[None]:
    LOADED.clear()
    yield
    assert LOADED == []


@pytest.fixture
def app(redis_url: str) -> Flask:
    strangers = OriginCheck(AllowedHosts())
    app = make_app("dashboard", strangers)
    routes.install(app, redis_url, strangers)
    return app


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    return app.test_client()


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


def test_unpickling_is_detected() -> None:
    pickle.loads(BOMB)  # noqa: S301 - this is what the others must not do
    assert LOADED == ["builtins.print"]
    LOADED.clear()


@pytest.mark.parametrize(
    "module", ["handlers.app", "infra.processes.dashboard", "infra.processes.scheduler", "infra.processes.worker"]
)
def test_no_process_has_a_serializer_that_loads_pickles(module: str) -> None:
    code = (
        f"import {module}, pickle, rq.serializers as found; "
        "loads = [found.resolve_serializer(name).loads for name in (None, 'pickle', 'json')]; "
        "print(pickle.loads in loads, found.DefaultSerializer.loads.__name__)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "refuse_pickle"]


def test_every_route_and_every_argument_is_listed(app: Flask) -> None:
    assert {rule.endpoint for rule in rules(app)} == set(ROUTES)
    assert {name for rule in rules(app) for name in rule.arguments} == set(ARGUMENTS) == set(GOOD)


def test_every_name_it_imports_from_rq_is_listed(app: Flask) -> None:
    from rq_dashboard import web

    found: set[str] = set()
    for node in ast.walk(ast.parse(inspect.getsource(web))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "rq":
            found |= {alias.asname or alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            assert not [alias for alias in node.names if alias.name.partition(".")[0] == "rq"]
    assert found - {"rq_version"} == set(READERS) | HARMLESS
    assert {name: getattr(web, name) for name in READERS} == READERS


def test_unlisted_routes_and_names_are_rejected(app: Flask, http: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert http.get("/rq/0/data/queues.json").status_code == 200
    monkeypatch.delitem(ROUTES, "rq_dashboard.list_queues")
    assert http.get("/rq/0/data/queues.json").status_code == 404
    assert http.get("/rq/0/view/job/x").status_code == 404
    monkeypatch.delitem(ARGUMENTS, "registry_name")
    assert http.get("/rq/0/data/jobs/default/failed/8/asc/1.json").status_code == 404


def test_every_call_gets_a_response(app: Flask, http: FlaskClient, redis_client: redis.Redis) -> None:
    for method, path in calls(app):
        put(redis_client, "a-job", {})
        answer = http.open(path, method=method)
        expected = (405,) if path == "/rq/requeue/default" and method != "POST" else (200, 308)
        if path == "/rq/queue/default/compact":
            expected = (200, 409)  # This queue has no jobs.
        assert answer.status_code in expected, (method, path, answer.text)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_an_argument_outside_its_pattern_is_not_found(app: Flask, http: FlaskClient, name: str) -> None:
    for value in (value for value in HOSTILE if not ARGUMENTS[name].fullmatch(value)):
        for method, path in calls(app, **{name: value}):
            answer = http.open(path, method=method)
            # The server routes a path with dots elsewhere.
            assert answer.status_code in (404, 405, 308), (method, path, answer.text)
            assert answer.mimetype != "text/html" or answer.status_code == 308, path
            if answer.status_code == 308:
                assert http.open(answer.headers["Location"], method=method).status_code in (404, 405), path


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


STATUSES = ("failed", "started", "finished", "deferred", "scheduled", "canceled", "queued")


def test_a_pickle_in_a_job_is_not_loaded(app: Flask, http: FlaskClient, redis_client: redis.Redis) -> None:
    # Each field alone, so that the page reads the others; then all together, in every status.
    jobs: list[dict[str, Any]] = [{field: BOMB} for field in JOB_FIELDS]
    jobs += [dict.fromkeys(JOB_FIELDS, BOMB) | {"status": status} for status in STATUSES]
    jobs += [{"data": BOMB, "meta": BOMB, "result": BOMB, "status": status} for status in STATUSES]
    of_a_job = [call for call in calls(app) if call[0] != "HEAD" and re.search("job|requeue|empty", call[1])]
    for fields in jobs:
        for method, path in of_a_job:
            put(redis_client, "a-job", fields)
            answer = http.open(path, method=method)
            assert answer.status_code < 500, (method, path, answer.text)


@pytest.mark.parametrize("field", ["return_value", "exc_string", "type", "worker_name", "execution_id", "created_at"])
def test_a_pickle_in_a_result_is_not_loaded(
    app: Flask, http: FlaskClient, redis_client: redis.Redis, field: str
) -> None:
    for method, path in calls(app):
        put(redis_client, "a-job", {}, "finished")
        result: dict[Any, Any] = {"type": "1", field: b64encode(BOMB)}
        redis_client.xadd("rq:results:a-job", result)
        answer = http.open(path, method=method)
        assert answer.status_code < 500, (method, path, answer.text)


def test_a_pickle_in_a_worker_or_an_execution_is_not_loaded(
    app: Flask, http: FlaskClient, redis_client: redis.Redis
) -> None:
    names = "birth death last_heartbeat pid hostname queues state current_job version python_version total_working_time"
    for name in names.split():
        redis_client.hset(f"rq:worker:{name}", mapping={"birth": "2026-01-01T00:00:00.000000Z", name: BOMB})
        redis_client.sadd("rq:workers", f"rq:worker:{name}")
        redis_client.sadd(f"rq:worker:{name}:executions", BOMB, "a-job:an-execution")
        redis_client.hset("rq:execution:an-execution", mapping={"job_id": BOMB, "created_at": BOMB})
    put(redis_client, "a-job", {}, "started")
    for method, path in calls(app):
        assert http.open(path, method=method).status_code < 500, (method, path)


def write_string(client: redis.Redis, key: str) -> None:
    client.set(key, b"\xff")


GARBAGE: dict[str, Callable[[redis.Redis, str], Any]] = {
    "string": write_string,
    "pickle": lambda client, key: client.set(key, BOMB),
    "list": lambda client, key: client.rpush(key, b"\xff", "", BOMB, "a'b", "x" * 1000),
    "set": lambda client, key: client.sadd(key, b"\xff", "", BOMB, "a'b", "x" * 1000),
    "zset": lambda client, key: client.zadd(key, {b"\xff": 1, b"": 2, BOMB: 3, b"a'b": float("inf"), b"a:b:c": 5}),
    "hash": lambda client, key: client.hset(key, mapping={b"\xff": b"\xff", "data": b"\xff", "state": BOMB, "": ""}),
    "stream": lambda client, key: client.xadd(key, {b"\xff": b"\xff"}),
}


def keys() -> list[str]:
    """Return every key that the runtime or rq-dashboard reads."""
    more = ("rq:job:a-job", "rq:results:a-job", "rq:executions:a-job", "rq:worker:a", "rq:worker:a:executions")
    return [*redis_keys.expected_types(["default"]), *more, redis_keys.DASHBOARD_SECRET, redis_keys.ERA]


@pytest.mark.parametrize("kind", GARBAGE)
def test_every_page_handles_keys_of_any_type_and_content(
    app: Flask, http: FlaskClient, redis_client: redis.Redis, kind: str
) -> None:
    for key in keys():
        for method, path in calls(app):
            if method == "HEAD":
                continue
            if method == "POST":
                put(redis_client, "a-job", {}, "started")
            redis_client.sadd("rq:workers", "rq:worker:a")
            redis_client.delete(key)
            GARBAGE[kind](redis_client, key)
            answer = http.open(path, method=method)
            assert answer.status_code < 500, (key, method, path, answer.text)
            if method == "GET" and answer.is_json and answer.status_code == 200:
                json.loads(answer.text, parse_constant=pytest.fail)
            redis_client.flushdb()


def test_a_get_writes_nothing(app: Flask, http: FlaskClient, redis_client: redis.Redis) -> None:
    put(redis_client, "a-job", {})
    redis_client.rpush("rq:queue:default", "gone")
    redis_client.zadd("rq:failed:default", {"gone": 1})
    redis_client.sadd("rq:workers", "rq:worker:gone")
    http.get("/rq/")  # The secret of the capabilities.
    before = {key: redis_client.dump(key) for key in redis_client.scan_iter()}
    for method, path in calls(app):
        if method != "POST":
            http.open(path, method=method)
    assert {key: redis_client.dump(key) for key in redis_client.scan_iter()} == before


def test_a_decompression_bomb_is_not_unpacked(http: FlaskClient, redis_client: redis.Redis) -> None:
    packed = zlib.compress(b"[" + b" " * 200_000_000)
    put(redis_client, "a-job", {"data": packed})
    redis_client.xadd("rq:results:a-job", {"type": "2", "exc_string": b64encode(packed)})
    answer = http.get("/rq/0/data/job/a-job.json")
    assert answer.status_code == 200
    assert len(answer.text) < 10_000


SECRET = "s3cr3t-of-redis"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}@127.0.0.1:1/0",
        f"redis://user:{SECRET}@127.0.0.1:1/0",
        f"redis://127.0.0.1:1/0?password={SECRET}",
        f"redis://127.0.0.1:1/0?username={SECRET}&password={SECRET}",
        f"rediss://127.0.0.1:1/0?password={quote(SECRET)}&ssl_cert_reqs=none",
        f"unix://user:{SECRET}@/tmp/socket?db=1",
        f"unix:///tmp/socket?db=1&password={SECRET}",
    ],
)
def test_no_page_shows_the_url_of_redis(url: str) -> None:
    inner = isolated_app.make_isolated_app(url, OriginCheck(AllowedHosts()))
    assert SECRET not in str(inner.config)
    with inner.test_request_context():
        assert SECRET not in inner.jinja_env.get_template("rq_dashboard/base.html").render(
            instance_list=inner.config["RQ_DASHBOARD_REDIS_URL"], current_instance=0, poll_interval=1, rq_url_prefix="/"
        )


def capability(http: FlaskClient) -> str:
    return http.get("/rq/").text.partition('capability = "')[2].partition('/"')[0]


def test_a_capability_allows_only_data(app: Flask, http: FlaskClient) -> None:
    root, elsewhere = f"/rq/{capability(http)}", {"Origin": "null", "Sec-Fetch-Site": "cross-site"}
    answer = http.get(f"{root}/0/data/queues.json", headers=elsewhere)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "null"
    assert "Set-Cookie" not in answer.headers
    for method, path in calls(app):
        kind = next(ROUTES[rule.endpoint] for rule in rules(app) if is_of(rule, path))
        told = http.open(path.replace("/rq", root, 1), method=method, headers=elsewhere)
        allowed = kind is Kind.DATA and method != "POST"
        assert (
            (told.status_code < 300 or (told.status_code == 404 and "job" in path))
            if allowed
            else (told.status_code in (403, 404, 405))
        ), (method, path, told.status_code)


def is_of(rule: Rule, path: str) -> bool:
    return path == f"/rq{address(rule, GOOD)}"


def test_a_forged_or_expired_capability_is_rejected(http: FlaskClient, redis_client: redis.Redis) -> None:
    good = capability(http).removeprefix("~")
    until, _, signature = good.partition("-")
    over = f"{int(time.time()) - 1:x}"
    long = f"{int(time.time()) + 10**9:x}"
    for forged in (
        f"{over}-{page_isolation._signature(redis_client, over)}",
        f"{long}-{page_isolation._signature(redis_client, long)}",
        f"{int(until, 16) + 1:x}-{signature}",
        f"{until}-{'0' * 64}",
        f"{until}-",
        signature,
        "x",
        "%00",
        "é",
        good.upper(),
    ):
        assert http.get(f"/rq/~{forged}/0/data/queues.json").status_code == 403, forged
    redis_client.set(redis_keys.DASHBOARD_SECRET, "0" * 63)
    assert http.get(f"/rq/~{good}/0/data/queues.json").status_code == 403
    assert http.get(f"/rq/{capability(http)}/0/data/queues.json").status_code == 200


def test_another_origin_gets_static_files_and_no_data(http: FlaskClient) -> None:
    for headers in (
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert http.get("/rq/0/data/queues.json", headers=headers).status_code == 403
        assert http.get("/rq/", headers={**headers, "Sec-Fetch-Mode": "cors"}).status_code == 403
        assert http.post("/rq/queue/default/queued/empty", headers=headers).status_code == 403
        assert http.get("/rq/static/css/main.css", headers=headers).status_code == 200
    assert http.get("/rq/0/data/queues.json", headers={"Host": "evil.example"}).status_code == 403


def test_headers_and_cookies_of_the_caller_do_not_reach_it(app: Flask, http: FlaskClient) -> None:
    inner, _ = app.extensions[routes.EXTENSION]
    seen: list[dict[str, Any]] = []

    def fetch_page() -> None:
        seen.append(dict(request.environ) | {"body": request.get_data()})

    inner.before_request(fetch_page)
    headers = {"Cookie": f"localfn_session={SECRET}", "Authorization": f"Bearer {SECRET}", "X-Other": SECRET}
    http.get(f"/rq/?token={SECRET}", headers=headers)
    http.post("/rq/requeue/default", headers=headers, data=SECRET)
    assert len(seen) == 2
    assert SECRET not in str(seen)


def test_an_unavailable_redis_is_reported(http: FlaskClient) -> None:
    app = make_app("dashboard", OriginCheck(AllowedHosts()))
    routes.install(app, "redis://127.0.0.1:1/0", OriginCheck(AllowedHosts()))
    for method, path in calls(app):
        if "/static/" not in path and "favicon" not in path:
            assert app.test_client().open(path, method=method).status_code in (405, 503), (method, path)
