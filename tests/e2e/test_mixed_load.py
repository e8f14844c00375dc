"""Send 200 requests for mixed functions from eight clients at once: each ends correctly, and no leftovers remain."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from schema.engine import make_engine
from tests.conftest import StartRuntime
from tests.support.processes import children_of
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

CLIENTS, REQUESTS = 8, 200
CSV = (Path(__file__).parents[1] / "data" / "penguins.csv").read_bytes()
# Function, event, expected status, expected error_type.
MIX: list[tuple[str, Any, str, str | None]] = [
    ("echo", {"n": 1}, "completed", None),
    ("count_calls", {}, "completed", None),
    ("profile_csv", "upload", "completed", None),
    ("raise_error", {}, "failed", "KeyError"),
    ("fail_twice", {}, "completed", None),
    ("by_schema", {"n": -1}, "failed", "ValidationError"),
    ("save_files", {}, "completed", None),
    ("exit_hard", {}, "failed", "SandboxExited"),
    ("ignore_signals", {}, "failed", "TimedOut"),
    ("fail_now", {}, "failed", "Fail"),
]


@pytest.fixture
def own_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """Yield a runtime of this test's own, so that leftovers can only come from it."""
    with start_runtime() as runtime:
        yield runtime


def post(client: httpx.Client, function: str, event: Any) -> str:
    if event == "upload":
        answer = client.post(f"/api/functions/{function}", files={"csv": ("penguins.csv", CSV, "text/csv")})
    else:
        answer = client.post(f"/api/functions/{function}", json=event)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_every_request_ends_in_the_right_status_without_leftovers(own_runtime: Runtime) -> None:
    wanted = [MIX[number % len(MIX)] for number in range(REQUESTS)]

    with httpx.Client(base_url=own_runtime.url, timeout=60) as client, ThreadPoolExecutor(CLIENTS) as clients:
        ids = list(clients.map(lambda kind: post(client, kind[0], kind[1]), wanted))

    for request_id, (function, _, status, error_type) in zip(ids, wanted, strict=True):
        request = own_runtime.wait_ended(request_id, timeout_s=120)
        assert (function, request["status"], request["error_type"]) == (function, status, error_type)
    assert_one_result_each(own_runtime, {id for id, kind in zip(ids, wanted, strict=True) if kind[2] == "completed"})
    wait_until(lambda: not list((own_runtime.home / "work").iterdir()), what="no working directory is left")

    below = [child for process in own_runtime.processes.values() for child in children_of(process.pid, recursive=True)]
    for name in list(own_runtime.processes):
        assert own_runtime.stop(name) == 0, name
    wait_until(lambda: not [child for child in below if child.is_running()], what="no process is left")


def assert_one_result_each(runtime: Runtime, completed: set[str]) -> None:
    engine = make_engine(runtime.database_url, pool_size=1)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT request_id::text, count(*) FROM processing_result GROUP BY 1")).all()
    engine.dispose()
    assert {row[0] for row in rows} == completed
    assert all(row[1] == 1 for row in rows)
