"""Log each move of a request as a line of JSON with its id."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import StartRuntime
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def json_log(start_runtime: StartRuntime) -> Iterator[tuple[Runtime, Lines]]:
    """Yield a runtime that logs in JSON, and a function that returns the lines logged so far."""
    with start_runtime(settings={"LOG_FORMAT": "json"}) as own:
        log = own.home.parent / "log"
        yield own, lambda: [json.loads(line) for line in log.read_text().splitlines()]


def test_each_move_is_a_line_of_json_with_request_attempt_function_and_worker(json_log: tuple[Runtime, Lines]) -> None:
    runtime, everything = json_log

    def lines(request_id: str) -> list[dict[str, Any]]:
        return [line for line in everything() if request_id == line.get("request_id")]

    request = runtime.call("tell_trace", {})
    runtime.http.delete(f"/api/requests/{request['id']}")
    moves = wait_until(
        lambda: logged if (logged := lines(request["id"]))[-1]["message"] == "audit" else None,
        what="all moves are logged",
    )

    steps = [(line["process"], line["message"], line.get("attempt"), line.get("outcome")) for line in moves]
    assert ("web", "request accepted", None, None) in steps
    assert ("worker", "attempt ended", 1, "failed") in steps
    assert ("worker", "attempt ended", 2, "completed") in steps
    assert moves[-1]["action"] == "request.delete"
    assert {("web", "listening"), ("worker", "pool started"), ("scheduler", "leadership acquired")} <= {
        (line["process"], line["message"]) for line in everything()
    }
    for line in moves:
        assert {"time", "level", "logger"} <= line.keys()
        if line["process"] == "worker":
            assert line["worker"]
            assert line["function"] == "tell_trace"


def test_each_problem_is_logged_by_the_process_it_concerns(json_log: tuple[Runtime, Lines]) -> None:
    """Log a failed import, a module without a function, and a killed worker."""
    runtime, everything = json_log

    def logged(message: str) -> list[dict[str, Any]]:
        return [line for line in everything() if line["message"] == message]

    runtime.write("shared.py", "NUMBER = 1\n")
    runtime.write("broken.py", "def half(:\n")
    (line,) = wait_until(lambda: logged("module import failed"), what="it is logged")
    assert line["unit"].endswith("broken")
    assert line["error"].startswith("SyntaxError: ")
    wait_until(lambda: runtime.get("/api/functions")["errors"], what="both were looked at")
    assert not [line for line in logged("functions discovered") if line["unit"].endswith("shared")]

    victim = runtime.get("/api/workers")["items"][0]
    os.kill(victim["pid"], signal.SIGKILL)
    (ended,) = wait_until(lambda: logged("worker process ended"), what="its end is logged")
    assert (ended["worker"], ended["exit_status"], ended["level"]) == (victim["name"], -9, "WARNING")
