"""Drive a real sandbox without a worker."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.integration.sandboxes.driving import send_events
from tests.support.runtime import CASES
from tests.support.waiting import wait_until
from workqueue.sandboxes.connection import Disconnected, Frame, SandboxConnection
from workqueue.sandboxes.interpreter import Interpreter

SDK = Path(__file__).parents[3] / "queue"


@pytest.fixture
def sandbox() -> Iterator[SandboxConnection]:
    interpreter = Interpreter(sys.executable, SDK, {}, 1 << 20)
    load = {"type": "load", "root": str(CASES), "module": "noisy_neighbours", "function": "end_at"}
    child = interpreter.start(load, {})
    sandbox = SandboxConnection(child, 1 << 20)
    try:
        answer(sandbox)
        yield sandbox
    finally:
        child.end()
        child.close()


def answer(sandbox: SandboxConnection) -> Frame | Disconnected:
    """Return the next final answer."""
    said: list[Frame | Disconnected] = []

    def has_spoken() -> bool:
        news = sandbox.next_message(0.1)
        if isinstance(news, Disconnected) or (isinstance(news, Frame) and news.type in ("ready", "done", "failed")):
            said.append(news)
        return bool(said)

    assert wait_until(has_spoken, what="it has a last word")
    return said[0]


def run(sandbox: SandboxConnection, folder: Path, count: int, at: int) -> None:
    """Send `count` requests; the one at index `at` ends the sandbox."""
    folder.chmod(0o700)
    events = [f'{{"n": {n}, "at": {at}, "flag": "/dev/null"}}' for n in range(count)]
    send_events(sandbox, folder, events)


def test_a_sandbox_that_ends_reports_the_started_requests(sandbox: SandboxConnection, tmp_path: Path) -> None:
    run(sandbox, tmp_path, count=4, at=2)

    assert [isinstance(answer(sandbox), Disconnected) for _ in range(3)] == [False, False, True]
    assert sandbox.start_tokens.count_unstarted() == 1


def test_a_tracer_of_a_sandbox_does_not_block_its_owner() -> None:
    """End a traced sandbox at once, although its parent learns of the end only after the tracer."""
    load = {"type": "load", "root": str(CASES), "module": "noisy_neighbours", "function": "end_at"}
    child = Interpreter(sys.executable, SDK, {}, 1 << 20).start(load, {})
    seize = f"import ctypes; print(ctypes.CDLL(None).ptrace(0x4206, {child.process.pid}, None, None), flush=True)"
    with subprocess.Popen([sys.executable, "-c", f"{seize}; input()"], stdin=PIPE, stdout=PIPE) as tracer:
        assert tracer.stdout is not None
        if tracer.stdout.readline() != b"0\n":
            child.end()
            pytest.skip("this system does not let a process trace another")
        assert child.end() == -signal.SIGKILL
        assert tracer.poll() is None
    wait_until(lambda: child.process.poll() is not None, what="it is reaped once the tracer is gone")
    child.close()


def test_recalled_requests_do_not_start(sandbox: SandboxConnection, tmp_path: Path) -> None:
    run(sandbox, tmp_path, count=30, at=-1)
    unbegun = sandbox.start_tokens.revoke()

    results = [answer(sandbox) for _ in range(30 - unbegun)]
    assert all(isinstance(result, Frame) and result.type == "done" for result in results)
    assert sandbox.start_tokens.count_unstarted() == 0
    run(sandbox, tmp_path, count=1, at=-1)
    last = answer(sandbox)
    assert isinstance(last, Frame)
    assert last.head["request_id"] == "0", "no turn of before is left for this one"
