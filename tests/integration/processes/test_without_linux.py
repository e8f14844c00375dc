"""Run a runtime whose processes take the branches for macOS: see tests/support/systems/without_linux.

Functions run as the account of the runtime there, so these tests need no other account.
"""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartRuntime
from tests.integration.workers.running_requests import MARGIN_S, attempts_started, start_request, worker_of
from tests.support.processes import children_of, is_alive
from tests.support.runtime import CASES, Runtime, make_folder
from tests.support.up import Up
from tests.support.waiting import wait_until

SWITCH = str(Path(__file__).parents[2] / "support" / "systems" / "without_linux")
LEASE_S = 3
MODULES = ("basic.py", "memory.py", "misbehaving.py")
FUNCTIONS = """
import os
import subprocess
import sys
import time
from localfn import function
from localfn.runtime import confinement


@function
def system(event, context):
    proc, pidfd = os.path.exists("/proc/self"), hasattr(os, "pidfd_open")
    return {"platform": confinement.sys.platform, "proc": proc, "pidfd": pidfd}


@function(timeout_s=60)
def die_but_hold_the_socket(event, context):
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(7)


@function(timeout_s=3600, on_lost="fail")
def sleep_alone(event, context):
    with open(event["pid"], "w") as file:
        file.write(str(os.getpid()))
    time.sleep(3600)
"""


@pytest.fixture(scope="module")
def elsewhere(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """Yield a runtime with few modules of functions: without a zygote, each is discovered by an interpreter."""
    with make_folder() as functions:
        for name in MODULES:
            shutil.copy(CASES / name, functions)
        (functions / "elsewhere.py").write_text(FUNCTIONS)
        settings = {
            "PYTHONPATH": SWITCH,
            "LOCALFN_FUNCTIONS": str(functions),
            "LOCALFN_LEASE_SECONDS": str(LEASE_S),
            "LOCALFN_GRACE_SECONDS": "1",
        }
        with start_runtime(settings=settings) as runtime:
            wait_until(lambda: runtime.knows("sleep_alone"), 20, "the functions are known")
            yield runtime


def test_the_switch_reaches_the_sandboxes(elsewhere: Runtime) -> None:
    assert elsewhere.result("system") == {"platform": "darwin", "proc": False, "pidfd": False}


def test_a_request_completes_with_its_log_and_memory(elsewhere: Runtime) -> None:
    requests: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []

    def has_warm_start() -> bool:
        """Call until a sandbox runs its second request: two workers take turns."""
        requests.append(elsewhere.call("count_calls"))
        results.append(elsewhere.get(f"/api/requests/{requests[-1]['id']}/result")["data"])
        return bool(results[-1]["calls"] == 2)

    assert wait_until(has_warm_start, 20, "a sandbox is used again")
    (attempt,) = elsewhere.attempts(requests[-1]["id"])
    assert 5 < attempt["max_rss_mb"] < 500
    assert elsewhere.logs(elsewhere.call("exit_hard")["id"])[-1].endswith("stdout last words")


def test_a_timeout_kills_the_sandbox_with_all_its_descendants(elsewhere: Runtime, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    request = elsewhere.call("leave_grandchildren", {"pids": str(pids)})
    assert request["error_type"] == "TimedOut"
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) == 3
    wait_until(lambda: not any(is_alive(pid) for pid in found), what="all grandchildren are dead")


def test_a_memory_limit_ends_a_sandbox(elsewhere: Runtime) -> None:
    assert elsewhere.call("hoard")["error_type"] == "OutOfMemory"


def test_the_end_of_a_sandbox_is_noticed_while_a_child_holds_its_socket(elsewhere: Runtime) -> None:
    request = elsewhere.call("die_but_hold_the_socket")
    assert (request["error_type"], "status 7" in request["error_message"]) == ("SandboxExited", True)


def test_a_sandbox_that_reads_nothing_blocks_no_worker(elsewhere: Runtime) -> None:
    for _ in range(2):
        request = elsewhere.call("read_nothing", {"text": "x" * 900_000})
        assert request["status"] == "completed" or request["error_type"] in ("TimedOut", "SandboxExited"), request


def test_a_running_request_is_cancelled(elsewhere: Runtime, tmp_path: Path) -> None:
    request_id, _, sandbox = start_request(elsewhere, "sleep_and_note", tmp_path, 60)
    assert elsewhere.http.post(f"/api/requests/{request_id}/cancel").status_code == 202
    assert elsewhere.wait_ended(request_id)["error_type"] == "Cancelled"
    wait_until(lambda: not is_alive(sandbox), what="the sandbox is dead")


def test_a_killed_workers_request_completes_once(elsewhere: Runtime, tmp_path: Path) -> None:
    request_id, ledger, _ = start_request(elsewhere, "sleep_and_note", tmp_path, 1)
    worker_of(elsewhere, request_id).kill()
    wait_until(lambda: attempts_started(ledger) == [1, 2], LEASE_S + 2 + MARGIN_S, "the next attempt starts")
    assert elsewhere.wait_ended(request_id)["status"] == "completed"
    assert [attempt["outcome"] for attempt in elsewhere.attempts(request_id)] == ["lost", "completed"]


def test_workers_of_a_killed_pool_end_with_their_sandboxes(elsewhere: Runtime, tmp_path: Path) -> None:
    sandbox = start_sleeper(elsewhere, tmp_path)
    family = [child.pid for child in children_of(elsewhere.processes["worker"].pid)]
    elsewhere.stop("worker", signal.SIGKILL)
    elsewhere.start("worker")
    wait_until(lambda: not any(is_alive(pid) for pid in (*family, sandbox)), 30, "all processes of the pool end")


def test_the_next_pool_ends_the_sandboxes_of_one_that_was_killed_with_its_workers(
    elsewhere: Runtime, tmp_path: Path
) -> None:
    sandbox = start_sleeper(elsewhere, tmp_path)
    family = children_of(elsewhere.processes["worker"].pid)
    elsewhere.processes["worker"].send_signal(signal.SIGSTOP)  # it starts no further worker
    for child in family:
        if child.pid != sandbox:
            child.kill()
    elsewhere.stop("worker", signal.SIGKILL)
    assert is_alive(sandbox)
    elsewhere.start("worker")
    wait_until(lambda: not is_alive(sandbox), 30, "the next pool ends the sandbox")


def start_sleeper(elsewhere: Runtime, tmp_path: Path) -> int:
    """Start a request that sleeps and must not start twice; return the pid of its sandbox."""
    file = tmp_path / "pid"
    elsewhere.post("sleep_alone", {"pid": str(file)})
    wait_until(lambda: file.exists() and file.read_text(), 20, "it runs")
    return int(file.read_text())


def test_a_client_that_receives_nothing_blocks_no_thread() -> None:
    code = """
    import socket
    from infra.http_server.send_buffer import send_now
    client, server = socket.socketpair()
    try:
        while send_now(server, bytes(4096)):
            pass
    except BlockingIOError:
        print(server.gettimeout(), os.get_blocking(server.fileno()))
    """
    assert run_elsewhere(code) == "None True"


def run_elsewhere(code: str) -> str:
    """Run code in an interpreter without Linux; return its output."""
    command = [sys.executable, "-c", f"import os\n{textwrap.dedent(code)}"]
    environment = os.environ | {"PYTHONPATH": SWITCH}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_up_ends_all_processes(short_tmp_path: Path) -> None:
    up = Up(short_tmp_path, PYTHONPATH=SWITCH)
    try:
        up.wait_ready()
        assert (
            up.ask("/api/functions/echo", {"a": 1}, **{"Content-Type": "application/json", "Prefer": "wait=20"})[
                "status"
            ]
            == "completed"
        )
        family = [process.pid for process in up.descendants()]
        up.end()
        assert up.process.returncode == 0
        assert not any(is_alive(pid) for pid in family)
    finally:
        if up.process.poll() is None:
            up.process.kill()
            up.process.communicate()
