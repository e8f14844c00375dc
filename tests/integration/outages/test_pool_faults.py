"""Run out of descriptors, and let sandboxes survive their kill: the pool continues with the rest."""

import contextlib
import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import StartRuntime
from tests.integration.workers.running_requests import waits_for_a_sandbox
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

NO_DESCRIPTORS = "process not started; retried"
ALL_TAKEN = 3  # All descriptors below this number are in use, so the process can open none.
PTRACE_SEIZE = 0x4206  # From linux/ptrace.h.

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prlimit and ptrace are Linux's")


@pytest.fixture(scope="module")
def runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    settings = {
        "LOCALFN_WORKERS": "2",
        "LOCALFN_CONCURRENCY": "6",
        "LOCALFN_LEASE_SECONDS": "60",
        "LOCALFN_GRACE_SECONDS": "1",
    }
    with start_runtime(settings=settings) as own:
        yield own


def start_blocking(runtime: Runtime, function: str, flag: Path) -> str:
    request_id: str = runtime.post(function, {"flag": str(flag)})["id"]
    return request_id


def are_running(runtime: Runtime, ids: list[str]) -> bool:
    return all(runtime.get(f"/api/requests/{id}")["phase"] == "process" for id in ids)


def log_of(runtime: Runtime) -> str:
    return (runtime.home.parent / "log").read_text(errors="replace")


def test_a_worker_without_descriptors_gives_requests_back_and_continues(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    running = [start_blocking(runtime, "wait_for_flag", flag) for _ in range(2)]
    wait_until(lambda: are_running(runtime, running), what="they run")
    workers = [worker["pid"] for worker in runtime.get("/api/workers")["items"]]
    before = resource.prlimit(workers[0], resource.RLIMIT_NOFILE)
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (ALL_TAKEN, before[1]))

    waiting = [start_blocking(runtime, "wait_for_flag", flag) for _ in range(3)]
    wait_until(lambda: all(waits_for_a_sandbox(runtime, id) for id in waiting), what="no sandbox can be started")
    assert are_running(runtime, running)
    for pid in workers:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    flag.touch()

    assert [runtime.wait_ended(id)["status"] for id in running + waiting] == ["completed"] * 5
    assert [len(runtime.attempts(id)) for id in running] == [1, 1]
    assert [worker["pid"] for worker in runtime.get("/api/workers")["items"]] == workers


@contextlib.contextmanager
def unreapable_process(pid: int) -> Iterator[None]:
    """Return a process whose parent does not see its death, as if it slept in the kernel: the test traces it.

    (A real sleep in the kernel needs a file system that hangs.)
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    assert libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        os.waitpid(pid, 0)  # Now its parent may reap it.


def test_a_sandbox_that_does_not_die_blocks_no_request(runtime: Runtime, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    request = runtime.post("sleep_and_note", {"ledger": str(ledger), "seconds": 50})["id"]
    wait_until(lambda: ledger.exists() and ledger.read_text().endswith("\n"), what="it runs")
    pid = int(ledger.read_text().split()[1])

    with unreapable_process(pid):
        assert runtime.http.post(f"/api/requests/{request}/cancel").status_code == 202
        assert runtime.wait_ended(request)["error_type"] == "Cancelled"
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        # Workers still start and end sandboxes.
        assert runtime.result("echo", "as before") == "as before"
        assert runtime.call("crash")["error_type"] == "SandboxExited"
        assert len(runtime.attempts(request)) == 1
        assert psutil.Process(pid).ppid() in [worker["pid"] for worker in runtime.get("/api/workers")["items"]]
    assert wait_until(lambda: not psutil.pid_exists(pid), what="it is reaped when it has died")


def test_a_pool_ends_despite_a_sandbox_that_does_not(runtime: Runtime, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    runtime.post("sleep_and_note", {"ledger": str(ledger), "seconds": 50})
    wait_until(lambda: ledger.exists() and ledger.read_text().endswith("\n"), what="it runs")

    with unreapable_process(int(ledger.read_text().split()[1])):
        assert runtime.stop("worker") == 0
    runtime.start("worker")
    wait_until(runtime.is_ready, 60, "there is another pool")
