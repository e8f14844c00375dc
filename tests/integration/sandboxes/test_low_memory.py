"""Bound the number of sandboxes by the memory that is left."""

import asyncio
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.lifecycle.steps import NOW, function_spec, make_claim
from tests.support.runtime import CASES
from tests.support.waiting import run
from workqueue.files.working_directory import WorkingDirectory
from workqueue.invocation.assignment import Assignment
from workqueue.invocation.attempt import Attempt
from workqueue.invocation.sandbox import Sandbox
from workqueue.invocation.sandbox_driver import SandboxDriver
from workqueue.invocation.sandbox_pool import SandboxPool
from workqueue.logs.spool_file import SpoolFile
from workqueue.sandboxes.connection import Frame
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.memory import MIN_FREE_MB, FreeMemory
from workqueue.sandboxes.zygote import Zygote

SDK = Path(__file__).parents[3] / "queue"
# With such a variable it gets an interpreter of its own: a fork of the zygote needs a process that adopts orphans.
FUNCTION = function_spec(name="echo", root=str(CASES), module="basic", environment={"PYTHONUTF8": "1"})


@dataclass
class Recorder:
    """Note the attempts that may start."""

    assignment: Assignment
    started: list[Attempt] = field(default_factory=list)
    has_started: asyncio.Event = field(default_factory=asyncio.Event)

    def dispatch(self) -> None:
        if found := list(self.assignment.assign_starts()):
            self.started += found
            self.has_started.set()

    def answered(self, _: Sandbox, frame: Frame) -> None:
        raise AssertionError(frame)

    def is_slow(self, _: Sandbox) -> None:
        """Do nothing: the sandbox waits on purpose."""

    def ended(self, _: Sandbox, reason: BaseException) -> None:
        raise AssertionError(reason)


def attempt() -> Attempt:
    return Attempt(make_claim("echo"), FUNCTION, 0.0, 0.0)


def test_a_request_that_waits_for_memory_starts_when_there_is_some(tmp_path: Path) -> None:
    """No other event than the measurement of free memory comes: the request at work goes on."""
    free = [MIN_FREE_MB - 1.0]

    async def check() -> None:
        pool = SandboxPool(
            Zygote(Interpreter(sys.executable, SDK, {}, 1 << 20)),
            FreeMemory(lambda: free[0]),
            max_idle=1,
            max_body=1 << 20,
            make_directory=partial(WorkingDirectory, tmp_path, "w"),
            make_spool=partial(SpoolFile, tmp_path, "w"),
        )
        driver = SandboxDriver(pool, lambda: NOW)
        assignment = Assignment(pool, slots=3, cores=1)
        listener = driver.listener = Recorder(assignment)
        try:
            assignment.add([attempt(), attempt()])
            (first,) = assignment.assign_starts()
            sandbox = await pool.start(FUNCTION)
            sandbox.add(first)
            await driver.load(sandbox)
            assignment.begin("echo", sandbox)
            listener.dispatch()
            assert listener.started == [], "memory is short, and a sandbox is at work"

            supervision: Coroutine[Any, Any, None] = driver.supervise()
            task = asyncio.create_task(supervision)
            free[0] = MIN_FREE_MB + 1.0
            async with asyncio.timeout(20):
                await listener.has_started.wait()
            task.cancel()
            driver.unwatch(sandbox)
            assert len(listener.started) == 1
        finally:
            await asyncio.to_thread(pool.close)

    run(check())
