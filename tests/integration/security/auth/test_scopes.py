"""Each scope sees what the table of rights says, by every route; what is not a key's own is as if it were not there."""

from typing import Any

import httpx
import pytest

from tests.integration.security.auth.test_every_route import open_routes
from tests.integration.security.conftest import Guarded

MARK = "only-for-readers"
OF_CALLS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/requests/bulk"): {"action": "retry", "ids": ["{id}"]},
    ("POST", "/api/schedules"): {"name": "other", "function": "echo", "expression": "@daily"},
    ("POST", "/api/schedules/preview"): {"expression": "@daily"},
    ("PATCH", "/api/schedules/{name}"): {"enabled": False},
}


@pytest.fixture
def planted(guarded: Guarded) -> dict[str, str]:
    """A failed request and a schedule, with a mark in whatever they hold; by the names of the paths' parameters."""
    http, event = guarded.runtime.http, {"message": MARK}
    request = guarded.runtime.call("complain", event)
    body = {"name": MARK, "function": "echo", "expression": "@daily", "event": event, "description": MARK}
    http.delete(f"/api/schedules/{MARK}")
    http.delete("/api/schedules/other")
    http.post("/api/schedules", json=body).raise_for_status()
    return {"id": request["id"], "name": MARK}


def calls(guarded: Guarded) -> list[tuple[str, str]]:
    """Every call but those on queues, functions, users and sessions; what deletes comes last."""
    found = [call for call in open_routes(guarded) if call[1].startswith(("/api/requests", "/api/schedules"))]
    assert len(found) >= 20
    return sorted(found, key=lambda call: (call[0] == "DELETE", call))


def answers(http: httpx.Client, guarded: Guarded, planted: dict[str, str]) -> dict[tuple[str, str], httpx.Response]:
    def filled(text: Any) -> Any:
        for name, value in planted.items():
            text = text.replace(f"{{{name}}}", value) if isinstance(text, str) else text
        return text

    found = {}
    for method, path in calls(guarded):
        body = OF_CALLS.get((method, path))
        if body is not None and "ids" in body:
            body = body | {"ids": [planted["id"]]}
        found[method, path] = http.request(method, filled(path), json=body)
    return found


def test_a_key_that_may_change_and_not_read_sees_nothing_of_what_it_changes(
    guarded: Guarded, planted: dict[str, str]
) -> None:
    with guarded.with_key("manage") as http:
        retried = http.post(f"/api/requests/{planted['id']}/retry")
        guarded.runtime.wait_ended(planted["id"])
        found = answers(http, guarded, planted)
        paused = http.post("/api/queues/low/pause")
        resumed = http.post("/api/queues/low/resume")

    done = {call for call, answer in found.items() if answer.is_success}
    assert ("PATCH", "/api/schedules/{name}") in done
    assert ("POST", "/api/schedules/{name}/run") in done
    found["POST", "retry of one that has failed"] = retried
    told = {call: answer.text.replace(f'"name":"{MARK}"', "") for call, answer in found.items()}
    assert {call: text for call, text in told.items() if MARK in text.replace(f"schedules/{MARK}", "")} == {}
    assert retried.status_code == 202
    assert retried.json().keys() == {
        "id", "function", "status", "cancel_requested", "links",
    }  # fmt: skip
    assert found["PATCH", "/api/schedules/{name}"].json().keys() == {"name", "enabled", "next_run_at"}
    for answer in (paused, resumed):
        assert answer.json().keys() == {"name", "paused", "paused_at"}


def test_a_key_that_may_read_as_well_sees_the_whole(guarded: Guarded, planted: dict[str, str]) -> None:
    with guarded.with_key("manage", "read") as http:
        retried = http.post(f"/api/requests/{planted['id']}/retry")
        found = answers(http, guarded, planted)
    assert found["PATCH", "/api/schedules/{name}"].json()["description"] == MARK
    assert retried.json()["event"] == {"message": MARK}


@pytest.mark.parametrize("scopes", [("read",), ("invoke",), ("manage",), ("read", "invoke", "manage")])
def test_what_is_another_functions_is_answered_as_what_is_not_there(
    guarded: Guarded, planted: dict[str, str], scopes: tuple[str, ...]
) -> None:
    def told(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = [(name, value) for name, value in answer.headers.multi_items() if name != "date"]
        return answer.status_code, headers, answer.content

    with guarded.with_key(*scopes, functions=["echo"]) as http:
        there = {call: told(answer) for call, answer in answers(http, guarded, planted).items()}
        guarded.runtime.http.delete(f"/api/requests/{planted['id']}").raise_for_status()
        guarded.runtime.http.delete(f"/api/schedules/{planted['name']}").raise_for_status()
        gone = {call: told(answer) for call, answer in answers(http, guarded, planted).items()}
    assert {answer[0] for answer in there.values()} <= {403, 404}
    assert there == gone
