"""List requests, functions and queues, and read the front page and the health checks."""

import pytest

from tests.support.runtime import Runtime


def test_the_dashboard_shows_the_queues(runtime: Runtime) -> None:
    answer = runtime.http.get("/rq/", follow_redirects=True)

    assert answer.status_code == 200
    assert "RQ" in answer.text


def test_pages_of_requests_are_ordered_newest_first(runtime: Runtime) -> None:
    ids = [runtime.call("own_environment")["id"] for _ in range(5)]

    seen: list[str] = []
    url = "/api/requests?function=own_environment&limit=2"
    while True:
        page = runtime.get(url)
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        url = f"/api/requests?function=own_environment&limit=2&cursor={page['next_cursor']}"
    assert seen[:5] == ids[::-1]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("status=failed", False),
        ("status=completed", True),
        ("q=needle-in-the-hay", True),
        ("q=100%25", False),
        ("since=2999-01-01T00:00:00Z", False),
        ("until=2999-01-01T00:00:00Z", True),
        ("schedule=none", False),
    ],
)
def test_each_filter_limits_the_list(runtime: Runtime, filter: str, found: bool) -> None:
    request = runtime.call("echo", {"text": "a needle-in-the-hay"})

    items = runtime.get(f"/api/requests?function=echo&limit=500&{filter}")["items"]
    assert (request["id"] in [item["id"] for item in items]) is found


def test_functions_are_listed_with_limits_and_source(runtime: Runtime) -> None:
    listed = {function["name"]: function for function in runtime.get("/api/functions")["items"]}

    shown = runtime.get("/api/functions/by_schema")
    assert shown == listed["by_schema"]
    assert shown["input_schema"]["required"] == ["n"]
    assert shown["source_file"].endswith("functions/basic.py")
    limits = [shown[name] for name in ("queue", "timeout_s", "max_attempts", "memory_mb")]
    assert limits == ["default", 3600.0, 1, 512]
    assert listed["echo"]["description"] == "Return the event."
    assert listed["order_as_model"]["input_schema"]["properties"]["article"]["type"] == "string"
    assert listed["on_low"]["queue"] == "low"


def test_the_front_page_and_the_health_checks_respond(runtime: Runtime) -> None:
    assert "localfn" in runtime.http.get("/").text
    assert runtime.get("/healthz") == {"status": "ok"}
    assert runtime.get("/readyz")["status"] == "ok"
