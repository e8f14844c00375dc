"""The processes' own log in JSON: each move of a request is a line that names it."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.conftest import Servers
from tests.runtime import running
from tests.waiting import wait_until


def test_each_move_is_a_line_of_json_with_request_attempt_function_and_worker(
    servers: Servers, database_url: str, short_tmp_path: Path
) -> None:
    def everything() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (short_tmp_path / "log").read_text().splitlines()]

    def lines(request_id: str) -> list[dict[str, Any]]:
        return [line for line in everything() if request_id == line.get("request_id")]

    redis_url, settings = servers.redis_url + "?db=4", {"LOG_FORMAT": "json"}
    with running(database_url, redis_url, short_tmp_path, settings=settings) as runtime:
        request = runtime.call("tell_trace", {})
        runtime.http.delete(f"/api/requests/{request['id']}")
        moves = wait_until(
            lambda: found if (found := lines(request["id"]))[-1]["message"] == "audit" else None, what="all is told"
        )

    told = [(line["process"], line["message"], line.get("attempt"), line.get("outcome")) for line in moves]
    assert ("web", "accepted", None, None) in told
    assert ("worker", "ended", 1, "failed") in told
    assert ("scheduler", "rang", 2, None) in told
    assert ("worker", "ended", 2, "completed") in told
    assert moves[-1]["action"] == "request.delete"
    assert {("web", "listening"), ("worker", "working"), ("scheduler", "leading")} <= {
        (line["process"], line["message"]) for line in everything()
    }
    for line in moves:
        assert {"time", "level", "logger"} <= line.keys()
        if line["process"] == "worker":
            assert line["worker"]
            assert line["function"] == "tell_trace"


def test_what_is_wrong_is_told_by_whom_it_concerns(servers: Servers, database_url: str, short_tmp_path: Path) -> None:
    """A module that cannot be imported, one without a function, and a worker that somebody killed."""

    def found(message: str) -> list[dict[str, Any]]:
        lines = map(json.loads, (short_tmp_path / "log").read_text().splitlines())
        return [line for line in lines if line["message"] == message]

    redis_url, settings = servers.redis_url + "?db=4", {"LOG_FORMAT": "json"}
    with running(database_url, redis_url, short_tmp_path, settings=settings) as runtime:
        runtime.write("shared.py", "NUMBER = 1\n")
        runtime.write("broken.py", "def half(:\n")
        (told,) = wait_until(lambda: found("a module cannot be imported"), what="it is told")
        assert told["unit"].endswith("broken")
        assert told["error"].startswith("SyntaxError: ")
        wait_until(lambda: runtime.get("/api/functions")["errors"], what="both were looked at")
        assert not [line for line in found("discovered") if line["unit"].endswith("shared")]

        victim = runtime.get("/api/workers")["items"][0]
        os.kill(victim["pid"], signal.SIGKILL)
        (ended,) = wait_until(lambda: found("a worker ended"), what="its end is told")
    assert (ended["worker"], ended["exit_status"], ended["level"]) == (victim["name"], -9, "WARNING")
