"""Restore a sandbox after a request to its first state, or do not reuse it."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from schema.engine import make_engine
from tests.functions.leftovers.ending import ENDING
from tests.functions.leftovers.harmless import HARMLESS
from tests.functions.leftovers.restored import RESTORED
from tests.integration.invocation.test_batches import batch, statuses, wait_all_ended
from tests.integration.sandboxes.driving import send_events
from tests.integration.sandboxes.test_sandbox import SDK, answer
from tests.support.runtime import CASES, Runtime
from workqueue.sandboxes.connection import Frame, SandboxConnection
from workqueue.sandboxes.interpreter import Interpreter

Run = Callable[..., list[Frame]]


@contextmanager
def warm(module: str, function: str) -> Iterator[SandboxConnection]:
    """Start a sandbox that has imported the function."""
    load = {"type": "load", "root": str(CASES), "module": module, "function": function}
    child = Interpreter(sys.executable, SDK, {"TZ": "UTC"}, 1 << 20).start(load, {})
    sandbox = SandboxConnection(child, 1 << 20)
    try:
        assert isinstance(ready := answer(sandbox), Frame)
        assert ready.type == "ready"
        yield sandbox
    finally:
        child.end()
        child.close()


def answers(sandbox: SandboxConnection, folder: Path, events: list[dict[str, Any]]) -> list[Frame]:
    """Send the events together; return the answers to those that the sandbox has started."""
    folder.chmod(0o700)
    send_events(sandbox, folder, [json.dumps(event) for event in events])
    found: list[Frame] = []
    while len(found) < len(events):
        frame = answer(sandbox)
        assert isinstance(frame, Frame), frame
        assert frame.type == "done", frame.head
        found.append(frame)
        if frame.head.get("leftovers"):
            break
    return found


@pytest.mark.parametrize("deed", sorted({**RESTORED, **HARMLESS}))
def test_restorable_state_is_restored(tmp_path: Path, deed: str) -> None:
    with warm("leftovers", "leave") as sandbox:
        answers(sandbox, tmp_path, [{"do": deed}, {}] if deed in HARMLESS else [{}])
        first, second = answers(sandbox, tmp_path, [{"do": deed}, {}])

    assert json.loads(second.body) == json.loads(first.body)
    assert "leftovers" not in first.head


@pytest.mark.parametrize("deed", sorted(ENDING))
def test_unrestorable_state_ends_the_batch(tmp_path: Path, deed: str) -> None:
    with warm("leftovers", "leave") as sandbox:
        *_, last = answers(sandbox, tmp_path, [{}, {"do": deed}, {}])

        assert last.head["request_id"] == "1"
        assert "leftovers" in last.head
        assert sandbox.start_tokens.revoke() == 1, "the third has not begun"


def test_leftovers_are_named(tmp_path: Path) -> None:
    for deed, words in (
        ("wait_in_thread", "a thread (waits)"),
        ("keep_executor", "a thread (ThreadPool"),
        ("set_alarm", "a timer (alarm, setitimer)"),
        ("open_file", "ending.py"),
        ("block_signals", "blocked signals"),
        ("import_and_set", "the environment (changed while modules were imported)"),
    ):
        with warm("leftovers", "leave") as sandbox:
            (answer,) = answers(sandbox, tmp_path, [{"do": deed}, {}])
        assert words in answer.head["leftovers"]


def test_a_thread_of_the_import_is_part_of_a_fresh_sandbox(tmp_path: Path) -> None:
    with warm("background", "beside_background") as sandbox:
        first, second, third = answers(sandbox, tmp_path, [{}, {}, {"do": True}])

    assert [json.loads(each.body) for each in (first, second, third)] == [2, 2, 3]
    assert "a thread (another)" in third.head["leftovers"]
    assert "background" not in third.head["leftovers"]


@pytest.fixture(scope="module")
def engine(runtime: Runtime) -> Any:
    engine = make_engine(runtime.database_url)
    yield engine
    engine.dispose()


def test_a_leftover_thread_writes_into_no_other_request(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    traps = range(7, 100, 10)
    ids = batch(runtime, [{"n": n, "leaves": n in traps} for n in range(100)], "write_later")

    rows = wait_all_ended(engine, ids)
    assert statuses(rows) == {"completed": 100}
    assert {row["attempt"] for row in rows} == {1}
    for n, id in enumerate(ids):
        if n not in traps:
            assert runtime.get(f"/api/requests/{id}/result")["data"] == {"n": n, "found": False}
            assert runtime.logs(id) == []
    (said,) = [line for line in runtime.logs(ids[7]) if " localfn The sandbox is not used again" in line]
    assert "a thread (" in said


def test_a_leftover_alarm_ends_no_other_request(runtime: Runtime, engine: sqlalchemy.Engine) -> None:
    ids = batch(runtime, [{"n": n, "leaves": n % 10 == 5} for n in range(100)], "alarm_soon")

    rows = wait_all_ended(engine, ids)
    assert statuses(rows) == {"completed": 100}
    assert {row["attempt"] for row in rows} == {1}


@pytest.mark.parametrize("stops", [True, False])
def test_threads_that_the_cleanup_hook_ends_are_not_leftovers(runtime: Runtime, stops: bool) -> None:
    request = runtime.call("stop_in_cleanup", {"stops": stops})

    assert request["status"] == "completed"
    runtime.settled_attempts(request["id"])
    lines = [line.split(" ", 2)[2] for line in runtime.logs(request["id"])]
    assert lines[0] == "stdout cleaned up"
    assert ["until cleanup" in line for line in lines[1:]] == ([] if stops else [True])
