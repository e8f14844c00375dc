"""The processes' own log in JSON: each move of a request is a line that names it."""

import json
from pathlib import Path
from typing import Any

from tests.conftest import Servers
from tests.runtime import running
from tests.waiting import wait_until


def test_each_move_is_a_line_of_json_with_request_attempt_function_and_worker(
    servers: Servers, database_url: str, short_tmp_path: Path
) -> None:
    def lines(request_id: str) -> list[dict[str, Any]]:
        found = map(json.loads, (short_tmp_path / "log").read_text().splitlines())
        return [line for line in found if request_id in (line.get("request_id"), line.get("subject"))]

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
    assert ("worker", "ended", 2, "completed") in told
    assert moves[-1]["action"] == "request.delete"
    for line in moves:
        assert {"time", "level", "logger"} <= line.keys()
        if line["process"] == "worker":
            assert line["worker"]
            assert line["function"] == "tell_trace"
