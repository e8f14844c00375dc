"""Show each scope the data of the table of rights, on every route; other data gets the answer of missing data."""

from typing import Any

import httpx
import pytest

from tests.integration.security.auth.test_every_route import open_routes
from tests.integration.security.conftest import ProductionRuntime

MARK = "only-for-readers"
OF_CALLS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/requests/bulk"): {"action": "retry", "ids": ["{id}"]},
    ("POST", "/api/schedules"): {"name": "other", "function": "echo", "expression": "@daily"},
    ("POST", "/api/schedules/preview"): {"expression": "@daily"},
    ("PATCH", "/api/schedules/{name}"): {"enabled": False},
}


@pytest.fixture
def marked_data(production: ProductionRuntime) -> dict[str, str]:
    """Return a failed request and a schedule with a mark in each value, by the names of path parameters."""
    http, event = production.runtime.http, {"message": MARK}
    request = production.runtime.call("complain", event)
    body = {"name": MARK, "function": "echo", "expression": "@daily", "event": event, "description": MARK}
    http.delete(f"/api/schedules/{MARK}")
    http.delete("/api/schedules/other")
    http.post("/api/schedules", json=body).raise_for_status()
    return {"id": request["id"], "name": MARK}


def calls(production: ProductionRuntime) -> list[tuple[str, str]]:
    """Return all calls but those on queues, functions, users and sessions; deletions come last."""
    found = [call for call in open_routes(production) if call[1].startswith(("/api/requests", "/api/schedules"))]
    assert len(found) >= 20
    return sorted(found, key=lambda call: (call[0] == "DELETE", call))


def answers(
    http: httpx.Client, production: ProductionRuntime, marked_data: dict[str, str]
) -> dict[tuple[str, str], httpx.Response]:
    def filled(text: Any) -> Any:
        for name, value in marked_data.items():
            text = text.replace(f"{{{name}}}", value) if isinstance(text, str) else text
        return text

    found = {}
    for method, path in calls(production):
        body = OF_CALLS.get((method, path))
        if body is not None and "ids" in body:
            body = body | {"ids": [marked_data["id"]]}
        found[method, path] = http.request(method, filled(path), json=body)
    return found


def test_a_key_without_read_scope_sees_no_data_of_its_changes(
    production: ProductionRuntime, marked_data: dict[str, str]
) -> None:
    with production.with_key("manage") as http:
        retried = http.post(f"/api/requests/{marked_data['id']}/retry")
        production.runtime.wait_ended(marked_data["id"])
        found = answers(http, production, marked_data)
        paused = http.post("/api/queues/low/pause")
        resumed = http.post("/api/queues/low/resume")

    done = {call for call, answer in found.items() if answer.is_success}
    assert ("PATCH", "/api/schedules/{name}") in done
    assert ("POST", "/api/schedules/{name}/run") in done
    found["POST", "retry of one that has failed"] = retried
    comparable = {call: answer.text.replace(f'"name":"{MARK}"', "") for call, answer in found.items()}
    assert {call: text for call, text in comparable.items() if MARK in text.replace(f"schedules/{MARK}", "")} == {}
    assert retried.status_code == 202
    assert retried.json().keys() == {
        "id", "function", "status", "cancel_requested", "links",
    }  # fmt: skip
    assert found["PATCH", "/api/schedules/{name}"].json().keys() == {"name", "enabled", "next_run_at"}
    for answer in (paused, resumed):
        assert answer.json().keys() == {"name", "paused", "paused_at"}


def test_a_key_with_read_scope_sees_all_data(production: ProductionRuntime, marked_data: dict[str, str]) -> None:
    with production.with_key("manage", "read") as http:
        retried = http.post(f"/api/requests/{marked_data['id']}/retry")
        found = answers(http, production, marked_data)
    assert found["PATCH", "/api/schedules/{name}"].json()["description"] == MARK
    assert retried.json()["event"] == {"message": MARK}


@pytest.mark.parametrize("scopes", [("read",), ("invoke",), ("manage",), ("read", "invoke", "manage")])
def test_data_of_another_function_gets_the_answer_of_missing_data(
    production: ProductionRuntime, marked_data: dict[str, str], scopes: tuple[str, ...]
) -> None:
    def comparable(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = [(name, value) for name, value in answer.headers.multi_items() if name != "date"]
        return answer.status_code, headers, answer.content

    with production.with_key(*scopes, functions=["echo"]) as http:
        there = {call: comparable(answer) for call, answer in answers(http, production, marked_data).items()}
        production.runtime.http.delete(f"/api/requests/{marked_data['id']}").raise_for_status()
        production.runtime.http.delete(f"/api/schedules/{marked_data['name']}").raise_for_status()
        gone = {call: comparable(answer) for call, answer in answers(http, production, marked_data).items()}
    assert {answer[0] for answer in there.values()} <= {403, 404}
    assert there == gone
