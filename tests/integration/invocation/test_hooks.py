"""Check the decorators: validation, cleanup, retries."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("function", "event", "result"),
    [
        ("order_as_model", {"article": "a"}, {"type": "Order", "article": "a", "count": 1}),
        ("order_as_dict", {"article": "a", "count": "2"}, {"type": "dict", "article": "a", "count": 2, "due": None}),
        ("by_schema", {"n": 1}, 2),
    ],
)
def test_a_valid_event_is_normalised(runtime: Runtime, function: str, event: Any, result: Any) -> None:
    assert runtime.result(function, event) == result


@pytest.mark.parametrize("function", ["checked_by_type_checkers", "decorated_order", "optional_order", "from_partial"])
def test_a_function_receives_its_declared_model(runtime: Runtime, function: str) -> None:
    event = {"Article": "a", "due": "2026-11-30T12:00:00Z"}
    assert runtime.result(function, event) == {"type": "Order", "price": "None", "due": "2026-11-30T12:00:00+00:00"}


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("hooked_by_wrappers", "the hook 'wrapper': it returned a coroutine, which has not run: call asyncio.run"),
        ("forgets_to_return", "the validate hook 'forget' returned None: return the event that the function gets"),
    ],
)
def test_an_invalid_hook_fails_the_request_as_a_fault_of_the_function(
    runtime: Runtime, function: str, words: str
) -> None:
    request = runtime.call(function, {"a": 1})

    assert (request["phase"], request["error_type"]) == ("validate", "LocalfnError")
    assert words in request["error_message"]
    assert runtime.attempts(request["id"])[0]["outcome"] == "failed"


def test_an_invalid_cleanup_is_shown(runtime: Runtime) -> None:
    request = runtime.call("cleans_by_generator")
    (attempt,) = runtime.settled_attempts(request["id"])

    assert request["status"] == "completed"
    assert "it returned a generator, which has not run" in attempt["phases"][-1]["error"]


def test_an_unawaited_result_is_rejected_with_a_hint(runtime: Runtime) -> None:
    request = runtime.call("returns_a_coroutine")

    assert request["error_type"] == "ResultNotSerializable"
    assert request["error_message"] == "$: a coroutine is not JSON; run it with asyncio.run(…)"


def test_the_cleanup_after_a_kill_receives_the_model(runtime: Runtime, tmp_path: Path) -> None:
    request = runtime.call("exits_with_a_model", {"Article": str(tmp_path / "note"), "price": 2.5})
    (attempt,) = runtime.settled_attempts(request["id"])

    assert attempt["phases"][-1]["outcome"] == "ok", attempt
    assert (tmp_path / "note").read_text() == "2.5"


@pytest.mark.parametrize(
    ("function", "event", "words"),
    [
        ("order_as_model", {"count": 1}, "article: Field required"),
        ("order_as_dict", [], "Input should be an object"),
        ("by_schema", {"n": 0}, "$.n"),
        ("by_schema", {"n": 1, "m": 2}, "'m' was unexpected"),
        ("by_schema", "text", "is not of type 'object'"),
        ("hooked", {"do": "refuse"}, "refused by the hook"),
        ("hooked", {}, "KeyError: 'do'"),
    ],
)
def test_an_invalid_event_fails_at_once(runtime: Runtime, function: str, event: Any, words: str) -> None:
    request = runtime.call(function, event)

    assert (request["status"], request["error_type"], request["phase"]) == ("failed", "ValidationError", "validate")
    assert words in request["error_message"]
    assert runtime.attempts(request["id"])[0]["outcome"] == "invalid"


@pytest.mark.parametrize(
    ("do", "status", "normalised"),
    [("return", "completed", True), ("raise", "failed", True), ("exit", "failed", True), ("refuse", "failed", False)],
)
def test_cleanup_runs_after_every_outcome(
    runtime: Runtime, tmp_path: Path, do: str, status: str, normalised: bool
) -> None:
    ledger = tmp_path / "ledger"
    request = runtime.call("hooked", {"do": do, "ledger": str(ledger)})
    (attempt,) = runtime.settled_attempts(request["id"])

    assert request["status"] == status
    assert ledger.read_text() == f"1 {normalised} True\n"
    assert attempt["phases"][-1]["outcome"] == "ok"
    assert not list((runtime.home / "work").glob(f"{request['id']}-*"))
    assert runtime.logs(request["id"])[-1].endswith(" 1 stdout tidied")
    wait_until(lambda: request["id"] not in unstored_lines(runtime), what="the lines of the hook are kept no longer")


def unstored_lines(runtime: Runtime) -> str:
    return "".join(path.read_text() for path in (runtime.home / "spool").glob("*.lines"))


def test_a_broken_cleanup_changes_no_outcome_and_is_shown(runtime: Runtime, tmp_path: Path) -> None:
    event = {"do": "return", "ledger": str(tmp_path / "ledger"), "break_cleanup": True}
    request = runtime.call("hooked", event)
    (attempt,) = runtime.settled_attempts(request["id"])

    assert request["status"] == "completed"
    assert attempt["phases"][-1]["outcome"] == "failed"
    assert "cleanup is broken" in attempt["phases"][-1]["error"]


def test_failures_are_retried_until_the_attempts_are_used_up(runtime: Runtime) -> None:
    request = runtime.call("fail_twice")

    assert (request["status"], request["attempt"], request["error_type"]) == ("completed", 3, None)
    attempts = runtime.attempts(request["id"])
    assert [attempt["outcome"] for attempt in attempts] == ["failed", "failed", "completed"]
    assert [attempt["error_message"] for attempt in attempts] == ["attempt 1", "attempt 2", None]


def test_retry_requests_another_attempt_with_its_delay(runtime: Runtime) -> None:
    request = runtime.call("ask_for_retry")

    assert (request["status"], request["attempt"], request["error_type"]) == ("failed", 2, "Retry")
    assert request["error_message"] == "not yet"


def test_fail_ends_the_request_despite_remaining_attempts(runtime: Runtime) -> None:
    request = runtime.call("fail_now")

    assert (request["status"], request["attempt"], request["error_type"]) == ("failed", 1, "Fail")


def test_a_client_can_retry_a_failed_request(runtime: Runtime) -> None:
    request = runtime.call("fail_now")

    answer = runtime.http.post(f"/api/requests/{request['id']}/retry")
    assert answer.status_code == 202
    # A worker may have claimed or even ended it before the response was written.
    retried = answer.json()
    assert retried["status"] in ("pending", "processing") or retried["attempt"] == 2
    again = runtime.wait_ended(request["id"])
    assert (again["status"], again["attempt"]) == ("failed", 2)
    assert runtime.http.post(f"/api/requests/{runtime.call('echo')['id']}/retry").status_code == 409
