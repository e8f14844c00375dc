"""Send requests as pages of other origins do: they change nothing, and scripts cannot read responses."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.support.runtime import Runtime

EVIL = "https://evil.example"


def sent_with(runtime: Runtime, method: str, path: str, host: str | None, **headers: str) -> tuple[int, dict[str, str]]:
    """Return status and headers of the response to exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", int(runtime.url.rpartition(":")[2]), timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({} if host is None else {"Host": host}).items() | headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


@contextmanager
def nothing_accepted(runtime: Runtime) -> Iterator[None]:
    before = runtime.newest_ids()
    yield
    assert runtime.newest_ids() == before


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:5000", "localhost:80", "LOCALHOST", "localhost.:5000", "[::1]:5000", "app.localhost:5000"],
)
def test_names_of_this_machine_are_valid_hosts(runtime: Runtime, host: str) -> None:
    assert sent_with(runtime, "GET", "/api/functions", host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example#localhost",
        "evil.example/localhost",
        "localhost@evil.example",
        "user:localhost@evil.example",
        "notlocalhost",
        "10.0.0.1",
        "0.0.0.0",
        "",
        "localhost evil.example",
        "[::1",
        "localhost:port",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/functions", "/rq/", "/openapi.json", "/metrics", "/nothing"])
def test_other_names_that_resolve_to_this_machine_are_rejected(runtime: Runtime, host: str, path: str) -> None:
    assert sent_with(runtime, "GET", path, host)[0] in (400, 403)


def test_probes_are_answered_for_any_host(runtime: Runtime) -> None:
    assert sent_with(runtime, "GET", "/healthz", "10.1.2.3:5000")[0] == 200
    assert sent_with(runtime, "GET", "/readyz", "10.1.2.3:5000")[0] == 200


def test_two_host_headers_are_rejected(runtime: Runtime) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(runtime.url.rpartition(":")[2]), timeout=10)
    connection.putrequest("GET", "/api/functions", skip_host=True)
    connection.putheader("Host", "localhost")
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status in (400, 403)
    connection.close()


FROM_ELSEWHERE = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},  # Another program on this machine.
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "https://127.0.0.1:1@evil.example"},
    {"Origin": "file://"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},  # A form that submits itself.
    {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
]


@pytest.mark.parametrize("headers", FROM_ELSEWHERE)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/functions/echo"),
        ("POST", "/api/functions/echo/batch"),
        ("DELETE", "/api/requests/01890a5d-ac96-774b-bcce-b302099a8057"),
        ("POST", "/rq/queue/default/queued/empty"),
        ("POST", "/api/session"),
        ("PATCH", "/api/schedules/x"),
    ],
)
def test_a_page_of_another_origin_changes_nothing(
    runtime: Runtime, method: str, path: str, headers: dict[str, str]
) -> None:
    body = b"[1]" if path.endswith("batch") else b"{}"
    for content_type in ("application/json", "text/plain"):
        with nothing_accepted(runtime):
            answer = runtime.http.request(method, path, content=body, headers={"Content-Type": content_type, **headers})
        assert answer.status_code == 403, (headers, answer.text)
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_origin_cannot_read_responses_but_may_link(runtime: Runtime, site: str) -> None:
    for path in ("/api/requests", "/api/functions", "/rq/"):
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        assert runtime.http.get(path, headers=headers).status_code == 403
        assert runtime.http.get(path, headers={**headers, "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_own_pages_and_programs_are_allowed(runtime: Runtime) -> None:
    for headers in ({}, {"Origin": runtime.url, "Sec-Fetch-Site": "same-origin"}, {"Origin": runtime.url}):
        answer = runtime.http.post("/api/functions/echo", json={}, headers=headers)
        assert answer.status_code == 202, (headers, answer.text)


def test_cors_headers_are_sent_only_for_configured_origins(runtime: Runtime) -> None:
    answer = runtime.http.get("/api/functions", headers={"Origin": EVIL})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    asked = runtime.http.options(
        "/api/functions/echo", headers={"Origin": EVIL, "Access-Control-Request-Method": "POST"}
    )
    assert not [name for name in asked.headers if name.lower().startswith("access-control-")]


def test_every_response_forbids_content_sniffing(runtime: Runtime) -> None:
    for path in ("/", "/api/functions", "/api/nothing", "/healthz", "/rq/"):
        headers = runtime.http.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Frame-Options"] == "DENY", path


def test_the_dashboard_runs_only_scripts_that_the_server_sent(runtime: Runtime) -> None:
    page = runtime.http.get("/rq/")
    policy = page.headers["Content-Security-Policy"]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert len(nonce) >= 16
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert page.text.count("<script") == page.text.count(f'<script nonce="{nonce}"') > 0
    assert nonce not in runtime.http.get("/rq/").headers["Content-Security-Policy"]


def test_posted_markup_is_text_on_the_dashboard(runtime: Runtime) -> None:
    evil = "<img src=x onerror=alert(1)>"
    request = runtime.call("complain", {"message": evil})
    assert request["status"] == "failed"
    shown: httpx.Response = runtime.http.get(f"/rq/0/data/job/{request['job_id']}.json")
    assert "&lt;img" in json.dumps(shown.json())
    assert "<img" not in shown.text


def test_the_dashboard_changes_nothing_by_a_get(runtime: Runtime) -> None:
    assert runtime.http.get("/rq/requeue/default").status_code == 405


@pytest.mark.parametrize(("path", "expected"), [("/rq", "/rq/"), ("//api//functions", "/api/functions")])
def test_a_redirect_names_no_host(runtime: Runtime, path: str, expected: str) -> None:
    status, headers = sent_with(runtime, "GET", path, "stranger.localhost")
    assert (status, headers["location"]) == (308, expected)
