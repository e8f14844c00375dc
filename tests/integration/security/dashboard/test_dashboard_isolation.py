"""Isolate rq-dashboard: with any data in Redis or in a URL it runs nothing, shows no secret, and never fails.

The tests read routes and arguments from its URL map, so they try a new version's routes like all others, and the
first test fails until they are listed.
"""

import ast
import inspect
import json
import time
from collections.abc import Callable
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
from tests.integration.security.dashboard.calls import BOMB, GOOD, HOSTILE, address, calls, put, rules
from workqueue.transport.redis_key_repair import DASHBOARD_SECRET_KEY, GENERATION_KEY, expected_types


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
    return [
        *expected_types(["default"]),
        *more,
        DASHBOARD_SECRET_KEY,
        GENERATION_KEY,
    ]


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
        response = http.open(path.replace("/rq", root, 1), method=method, headers=elsewhere)
        allowed = kind is Kind.DATA and method != "POST"
        assert (
            (response.status_code < 300 or (response.status_code == 404 and "job" in path))
            if allowed
            else (response.status_code in (403, 404, 405))
        ), (method, path, response.status_code)


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
    redis_client.set(DASHBOARD_SECRET_KEY, "0" * 63)
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
