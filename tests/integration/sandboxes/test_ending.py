"""End sandboxes: all processes of each, and many at the same time."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from tests.integration.sandboxes.test_sandbox import SDK
from tests.support.runtime import CASES
from tests.support.waiting import wait_until
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.exits.ender import Ender
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.process import SandboxProcess
from workqueue.sandboxes.process_tree import TAG, kill_tree, resident_mb

COUNT = 20
SLEEP = "import time; time.sleep(600)"
CHILD_OF_A_THREAD = f"""
import subprocess, sys, threading, time
grandchild = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
threading.Thread(target=lambda: subprocess.run([sys.executable, "-c", grandchild])).start()
{SLEEP}
"""


def start(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program], start_new_session=True)


@contextmanager
def sandbox() -> Iterator[SandboxProcess]:
    """Start a sandbox that waits for its first request, and close its channels in the end."""
    load = {"type": "load", "root": str(CASES), "module": "basic", "function": "echo"}
    process = Interpreter(sys.executable, SDK, {}, 1 << 20).start(load, {})
    try:
        yield process
    finally:
        process.end()
        process.close()


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("the whole process table is read")


def test_a_tree_is_killed_whole_with_what_a_thread_started() -> None:
    top = start(CHILD_OF_A_THREAD)
    wait_until(lambda: len(descendants(top.pid)) == 2, 20, "child and grandchild run")
    found = descendants(top.pid)

    kill_tree(top.pid)

    assert top.wait(10) == -9
    wait_until(lambda: not any(map(is_alive, found)), 10, "all are dead")


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_memory_includes_descendants() -> None:
    top = start(CHILD_OF_A_THREAD)
    try:
        wait_until(lambda: len(descendants(top.pid)) == 2, 20, "child and grandchild run")
        parts = [top.pid, *(child.pid for child in descendants(top.pid))]
        wait_until(lambda: min(map(process_tree.own_resident_mb, parts)) > 5, 20, "the interpreters have started")
        own = process_tree.own_resident_mb(top.pid)
        assert resident_mb(top.pid) > own + 10
    finally:
        kill_tree(top.pid)
        top.wait()


@pytest.mark.skipif(not process_tree.KERNEL_LISTS_CHILDREN, reason="this kernel lists no children")
def test_one_sandbox_is_measured_and_killed_without_the_process_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hundreds of sandboxes, hundreds of walks would stop the worker's event loop for seconds."""
    top = start(SLEEP)
    monkeypatch.setattr(psutil, "process_iter", refuse)
    monkeypatch.setattr(psutil.Process, "children", refuse)

    assert resident_mb(top.pid) > 0
    kill_tree(top.pid)

    assert top.wait(10) == -9


def test_sandboxes_that_end_at_the_same_time_share_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[Iterator[psutil.Process]] = []
    walk = psutil.process_iter

    def counted() -> Iterator[psutil.Process]:
        walks.append(walk())
        return walks[-1]

    monkeypatch.setattr(psutil, "process_iter", counted)
    thread, free = ThreadPoolExecutor(1), threading.Event()
    ender = Ender(thread)
    thread.submit(free.wait)
    with ExitStack() as stack:
        sandboxes = [stack.enter_context(sandbox()) for _ in range(COUNT)]
        ended = [ender.end(each) for each in sandboxes]
        free.set()

        assert [each.result(30) for each in ended] == [-9] * COUNT
        assert len(walks) == 1
        ender.close()


def test_a_sandbox_that_has_ended_and_its_orphans_are_ended_too() -> None:
    """The orphan has left the tree; its tag finds it."""
    with sandbox() as top:
        environment = {**os.environ, TAG: top.id}
        orphan = psutil.Popen(["sleep", "600"], env=environment, start_new_session=True)
        psutil.Process(top.pid).kill()
        ender = Ender(ThreadPoolExecutor(1))

        assert ender.end(top).result(30) == -9
        assert orphan.wait(10) == -9
        ender.close()
