"""Kill, freeze and stop processes during requests: none is lost, no process survives, each has one result."""

import json
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from tests.conftest import StartRuntime
from tests.integration.workers.running_requests import (
    MARGIN_S,
    attempts_started,
    start_request,
    waits_for_a_sandbox,
    worker_of,
)
from tests.support.commands import localfn
from tests.support.processes import children_of, is_alive
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

LEASE_S = 3


@pytest.fixture(scope="module")
def own_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """Yield a runtime of this module's own, with a short lease, whose processes the tests kill and restart."""
    settings = {"LOCALFN_LEASE_SECONDS": str(LEASE_S), "LOCALFN_GRACE_SECONDS": "2"}
    with start_runtime(settings=settings) as runtime:
        yield runtime


@pytest.fixture(autouse=True)
def _all_processes_run(own_runtime: Runtime) -> Iterator[None]:
    yield
    for name in ("web", "worker", "scheduler"):
        process = own_runtime.processes.get(name)
        if process is None or process.poll() is not None:
            own_runtime.start(name)
    wait_until(own_runtime.is_ready, 30, "the runtime is ready again")
    assert own_runtime.result("echo", "well") == "well"


def test_a_request_of_a_killed_worker_runs_again_within_its_lease(own_runtime: Runtime, tmp_path: Path) -> None:
    request_id, ledger, sandbox = start_request(own_runtime, "sleep_and_note", tmp_path, 2)
    worker_of(own_runtime, request_id).kill()
    killed_at = time.monotonic()

    wait_until(lambda: attempts_started(ledger) == [1, 2], LEASE_S + 2 + MARGIN_S, "the next attempt starts")
    assert time.monotonic() - killed_at < LEASE_S + 2 + MARGIN_S
    assert not psutil.pid_exists(sandbox), "the sandbox of the lost worker was ended"
    ended = own_runtime.wait_ended(request_id)
    assert (ended["status"], ended["attempt"]) == ("completed", 2)
    assert [attempt["outcome"] for attempt in own_runtime.attempts(request_id)] == ["lost", "completed"]
    # The cleaner removes the lost worker's working directory once the worker counts as gone.
    wait_until(lambda: not list((own_runtime.home / "work").iterdir()), 40, "no working directory is left")


def test_phases_of_a_running_attempt_are_shown_and_kept_when_its_worker_is_lost(
    own_runtime: Runtime, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    request_id = own_runtime.post("wait_for_flag", {"flag": str(flag)})["id"]

    def phases(number: int) -> list[tuple[str, str | None]]:
        found = [each["phases"] for each in own_runtime.attempts(request_id) if each["number"] == number]
        return [(each["phase"], each.get("outcome")) for phases in found for each in phases]

    wait_until(lambda: phases(1) == [("validate", "ok"), ("process", None)], 20, "the running attempt is shown")
    assert "running" in localfn(own_runtime, "requests", "show", request_id).stdout.partition("\n  process")[2]
    worker_of(own_runtime, request_id).kill()
    flag.touch()

    own_runtime.wait_ended(request_id)
    assert phases(1) == [("validate", "ok"), ("process", None)]
    assert [name for name, _ in phases(2)] == ["validate", "process", "save", "cleanup"]
    attempts = localfn(own_runtime, "requests", "attempts", request_id).stdout
    assert "cut off" in attempts.partition("\n  process")[2].partition("attempt 2")[0]


def test_output_read_by_a_killed_worker_is_in_the_log_of_its_attempt(own_runtime: Runtime) -> None:
    request_id = own_runtime.post("count_aloud", {})["id"]
    folder = own_runtime.home / "spool"

    def read() -> list[str]:
        rows = [json.loads(row) for path in folder.iterdir() for row in path.read_text().splitlines(keepends=True)[:-1]]
        return [line for id, *_, line in rows if id == request_id]

    wait_until(lambda: len(read()) > 100, what="it has printed")
    heard = read()
    worker_of(own_runtime, request_id).kill()

    assert own_runtime.wait_ended(request_id)["status"] == "completed"
    logged = [line.split()[3] for line in own_runtime.logs(request_id)]
    assert logged[: len(heard)] == heard == [str(number) for number in range(1, len(heard) + 1)]
    wait_until(lambda: not read(), what="nothing is left of it")


def test_a_request_that_must_not_start_twice_fails_with_its_worker(own_runtime: Runtime, tmp_path: Path) -> None:
    request_id, ledger, _ = start_request(own_runtime, "start_only_once", tmp_path, 30)
    worker_of(own_runtime, request_id).kill()

    ended = own_runtime.wait_ended(request_id)
    assert (ended["status"], ended["error_type"]) == ("failed", "WorkerLost")
    assert attempts_started(ledger) == [1]


def test_a_frozen_worker_is_killed_and_its_request_runs_again_at_once(own_runtime: Runtime, tmp_path: Path) -> None:
    request_id, ledger, sandbox = start_request(own_runtime, "sleep_and_note", tmp_path, 2)
    frozen = worker_of(own_runtime, request_id)
    frozen.suspend()
    wait_until(lambda: attempts_started(ledger) == [1, 2], MARGIN_S, "the next attempt starts")

    assert not is_alive(frozen.pid)
    assert not psutil.pid_exists(sandbox), "the sandbox of the frozen worker was ended"
    assert own_runtime.wait_ended(request_id)["status"] == "completed"


def test_a_frozen_machine_loses_its_leases_and_changes_nothing(own_runtime: Runtime, tmp_path: Path) -> None:
    request_id, ledger, sandbox = start_request(own_runtime, "sleep_and_note", tmp_path, LEASE_S + 4)
    pool = own_runtime.processes.pop("worker")
    frozen = [psutil.Process(pool.pid), *children_of(pool.pid)]  # the pool first: it would replace its workers
    for process in frozen:
        process.suspend()
    try:
        own_runtime.start("worker")
        wait_until(lambda: attempts_started(ledger) == [1, 2], LEASE_S + 2 + MARGIN_S, "the next attempt starts")
    finally:
        for process in frozen:
            process.resume()

    wait_until(lambda: not psutil.pid_exists(sandbox), MARGIN_S, "the thawed worker ends its sandbox")
    ended = own_runtime.wait_ended(request_id)
    assert (ended["status"], ended["attempt"]) == ("completed", 2)
    assert own_runtime.get(f"/api/requests/{request_id}/result")["data"] == 2
    pool.terminate()
    assert pool.wait(MARGIN_S) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_request_of_a_stopped_pool_runs_again(own_runtime: Runtime, tmp_path: Path, number: signal.Signals) -> None:
    request_id, ledger, sandbox = start_request(own_runtime, "sleep_and_note", tmp_path, 4)
    own_runtime.stop("worker", number)
    wait_until(lambda: not psutil.pid_exists(sandbox), MARGIN_S, "its sandbox is gone")
    own_runtime.start("worker")

    ended = own_runtime.wait_ended(request_id)
    assert (ended["status"], ended["attempt"]) == ("completed", 2)
    outcomes = [attempt["outcome"] for attempt in own_runtime.attempts(request_id)]
    # A gentle stop gives the request back at once and uses no attempt. After a kill it may be lost or given back,
    # because a worker sees the pool die and may still have time to give the request back.
    assert outcomes[0] in (["given_back"] if number == signal.SIGTERM else ["given_back", "lost"])
    assert attempts_started(ledger) == [1, 2]


def test_a_second_sigterm_gives_running_requests_back_at_once(own_runtime: Runtime, tmp_path: Path) -> None:
    own_runtime.stop("worker")
    grace, own_runtime.env["LOCALFN_GRACE_SECONDS"] = own_runtime.env["LOCALFN_GRACE_SECONDS"], "600"
    try:
        pool = own_runtime.start("worker")
        request_id, ledger, sandbox = start_request(own_runtime, "sleep_and_note", tmp_path, 100)
        pool.send_signal(signal.SIGTERM)
        time.sleep(0.5)  # Two signals in one instant are delivered once.
        assert pool.poll() is None
        assert psutil.pid_exists(sandbox)
        assert own_runtime.stop("worker") == 0
        assert [attempt["outcome"] for attempt in own_runtime.attempts(request_id)] == ["given_back"]
        assert own_runtime.get(f"/api/requests/{request_id}")["status"] == "pending"
        assert attempts_started(ledger) == [1]
        own_runtime.http.post(f"/api/requests/{request_id}/cancel")
    finally:
        own_runtime.env["LOCALFN_GRACE_SECONDS"] = grace


def test_a_request_that_ends_within_the_grace_of_a_stop_is_not_given_back(own_runtime: Runtime, tmp_path: Path) -> None:
    request_id, ledger, _ = start_request(own_runtime, "sleep_and_note", tmp_path, 1)
    assert own_runtime.stop("worker") == 0

    ended = own_runtime.get(f"/api/requests/{request_id}")
    assert (ended["status"], ended["attempt"]) == ("completed", 1)
    assert attempts_started(ledger) == [1]


def test_a_stop_under_load_loses_no_request_and_no_attempt(own_runtime: Runtime, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    events = [{"ledger": str(ledger), "seconds": 0.2} for _ in range(40)]
    ids = own_runtime.http.post("/api/functions/sleep_and_note/batch", json=events).json()["ids"]
    wait_until(lambda: ledger.exists() and len(attempts_started(ledger)) > 3, what="some run")
    assert own_runtime.stop("worker") == 0
    own_runtime.start("worker")

    for request_id in ids:
        ended = own_runtime.wait_ended(request_id, timeout_s=60)
        assert ended["status"] == "completed", ended
        outcomes = {attempt["outcome"] for attempt in own_runtime.attempts(request_id)}
        assert outcomes <= {"completed", "given_back"}


@pytest.mark.parametrize("trouble", ["flush", "pause"])
def test_an_emptied_or_unresponsive_redis_only_delays_requests(
    own_runtime: Runtime, tmp_path: Path, trouble: str
) -> None:
    request_id, ledger, _ = start_request(own_runtime, "sleep_and_note", tmp_path, LEASE_S + 3)
    events: list[Any] = [{"n": n} for n in range(20)]
    waiting = own_runtime.http.post("/api/functions/echo/batch", json=events).json()["ids"]
    with redis.Redis.from_url(own_runtime.redis_url) as client:
        if trouble == "flush":
            client.flushdb()
        else:
            client.client_pause(int((LEASE_S + 1) * 1000))

    assert own_runtime.wait_ended(request_id, timeout_s=40)["attempt"] == 1, "an unresponsive Redis loses no lease"
    assert attempts_started(ledger) == [1]
    assert {own_runtime.wait_ended(id, timeout_s=60)["status"] for id in waiting} == {"completed"}


def test_a_bell_rung_twice_runs_once(own_runtime: Runtime, tmp_path: Path) -> None:
    from uuid import UUID

    from workqueue.transport.doorbell import Bell, Doorbell

    request_id, ledger, _ = start_request(own_runtime, "sleep_and_note", tmp_path, 1)
    with redis.Redis.from_url(own_runtime.redis_url) as client:
        for _ in range(5):
            Doorbell(client).ring([Bell(UUID(request_id), 1, "default", "sleep_and_note")])
    assert own_runtime.wait_ended(request_id)["attempt"] == 1
    assert own_runtime.result("echo", 1) == 1
    assert attempts_started(ledger) == [1]


def test_every_process_ends_with_the_runtime(own_runtime: Runtime) -> None:
    below = children_of(own_runtime.processes["worker"].pid, recursive=True)
    assert below
    assert own_runtime.stop("worker") == 0
    assert not [process for process in below if process.is_running() and is_alive(process.pid)]


def test_an_interpreter_that_does_not_start_loses_no_request(own_runtime: Runtime, tmp_path: Path) -> None:
    """Delay requests while the interpreter fails, and use up none of their attempts."""
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\nexit 1\n")
    interpreter.chmod(0o755)
    own_runtime.stop("worker")
    own_runtime.env["LOCALFN_PYTHON"] = str(interpreter)
    try:
        own_runtime.start("worker")
        ids = [own_runtime.post("echo", n)["id"] for n in range(3)]

        def tried() -> bool:
            return all(len(own_runtime.attempts(id)) >= 1 and own_runtime.attempts(id)[0]["outcome"] for id in ids)

        wait_until(tried, 20, "all were tried")
        interpreter.unlink()  # Now it cannot even be executed.
        ids.append(own_runtime.post("echo", 3)["id"])
        wait_until(tried, 20, "the last was tried, too")
        wait_until(lambda: waits_for_a_sandbox(own_runtime, ids[0]), 20, "it waits to be tried again")
        interpreter.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n'
        )  # A link would not find its packages.
        interpreter.chmod(0o755)
        assert {own_runtime.wait_ended(id, timeout_s=60)["status"] for id in ids} == {"completed"}
    finally:
        del own_runtime.env["LOCALFN_PYTHON"]
        own_runtime.stop("worker")
