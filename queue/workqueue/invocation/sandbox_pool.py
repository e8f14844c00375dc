"""The sandboxes of one worker: start them, keep them warm, end them.

What may take milliseconds runs in two threads: one starts all sandboxes (the kernel ends a sandbox together with the
thread that started it), one ends them.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from workqueue.backoff import Backoff
from workqueue.files.working_directory import WorkingDirectory
from workqueue.functions.registry import FunctionSpec
from workqueue.heartbeats.sandbox_snapshots import SandboxSnapshot
from workqueue.invocation.sandbox import Sandbox
from workqueue.logs.spool_file import SpoolFile
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.exits.ender import Ender
from workqueue.sandboxes.memory import FreeMemory
from workqueue.sandboxes.process import FIRST_POLL_S, MAX_POLL_S, SandboxProcess, end_all
from workqueue.sandboxes.zygote import Zygote

log = logging.getLogger(__name__)

IDLE_S = 300.0  # a warm sandbox that was not used for this long is ended
KEEP_DIRECTORY_S = 1.0  # an empty working directory stays for the next request for this long
EXIT_GRACE_S = 0.5  # for an interpreter to exit after it closed its socket; then it is killed


class SandboxPool:
    """Hold all sandboxes of one worker.

    memory: decides whether another one may start. max_idle: how many idle ones are kept warm. max_body: bytes of the
    body of a frame. make_directory, make_spool: make the working directory and the spool file of a new sandbox.
    other_children: the pids of this process's children that are no sandboxes.
    """

    def __init__(
        self,
        zygote: Zygote,
        memory: FreeMemory,
        max_idle: int,
        max_body: int,
        make_directory: Callable[[], WorkingDirectory],
        make_spool: Callable[[int], SpoolFile],
        other_children: Callable[[], set[int]] = set,
    ) -> None:
        self.busy: set[Sandbox] = set()
        self._zygote, self._memory, self._max_idle, self._max_body = zygote, memory, max_idle, max_body
        self._make_directory, self._make_spool, self._other_children = make_directory, make_spool, other_children
        self._count = 0
        self._idle: dict[str, list[Sandbox]] = {}
        self._processes: list[SandboxProcess] = []  # all that were started and not reaped; of the starter's thread
        self._starter = ThreadPoolExecutor(1, "sandbox-starter")
        self._ender = Ender(ThreadPoolExecutor(1, "sandbox-ender"))
        self._keys: dict[int, tuple[FunctionSpec, str]] = {}

    def prepare(self) -> Future[str]:
        """Start the zygote before the first cold start. The answer: why the interpreter does not run, or empty."""
        return self._starter.submit(self._zygote.find_problem)

    def key_of(self, function: FunctionSpec) -> str:
        """Return the key of the sandboxes that can run this function."""
        found = self._keys.get(id(function))
        if found is None or found[0] is not function:
            key = json.dumps([_load(function), dict(function.environment)], sort_keys=True)
            if len(self._keys) > 10_000:  # specifications that were replaced
                self._keys.clear()
            found = self._keys[id(function)] = function, key
        return found[1]

    def take_idle(self, function: FunctionSpec) -> Sandbox | None:
        """Return a warm sandbox of this function that is as clean as a fresh one, if there is one."""
        key = self.key_of(function)
        while sandboxes := self._idle.get(key):
            sandbox = sandboxes.pop()  # the one used last: its memory is most likely cached
            if not sandboxes:
                del self._idle[key]
            if sandbox.is_reusable() and sandbox.connection.discard_idle_output():
                self.busy.add(sandbox)
                return sandbox
            self.end_later(sandbox)
        return None

    def idle_count(self) -> int:
        return sum(map(len, self._idle.values()))

    async def start(self, function: FunctionSpec) -> Sandbox:
        """Start a sandbox that loads this function. Raises OSError."""
        try:
            loop = asyncio.get_running_loop()
            process = await loop.run_in_executor(self._starter, self._start, _load(function), function.environment)
        except ValueError as error:  # a variable with U+0000
            raise OSError(str(error)) from None
        self._count += 1
        spool = self._make_spool(self._count)
        try:
            sandbox = Sandbox(process, self.key_of(function), self._max_body, self._make_directory(), spool)
        except OSError:  # this process has no descriptor left
            self._ender.end(process).add_done_callback(lambda _: process.close())
            raise
        self.busy.add(sandbox)
        return sandbox

    def put_idle(self, sandbox: Sandbox) -> None:
        """Keep a sandbox warm for the next request of its function."""
        self.busy.discard(sandbox)
        sandbox.used_at, sandbox.leaves_directory_clean = time.monotonic(), False  # others may write into it meanwhile
        self._idle.setdefault(sandbox.key, []).append(sandbox)
        while self.idle_count() > self._max_idle:
            self.evict_one()

    def evict_one(self) -> bool:
        """End the idle sandbox that was used least recently. Return False if none is idle."""
        oldest = min(self._all_idle(), key=lambda sandbox: sandbox.used_at, default=None)
        if oldest is not None:
            self._drop(oldest)
        return oldest is not None

    def has_memory(self) -> bool:
        """Return whether the machine has memory for another sandbox; end an idle one if it has not."""
        if not self._memory.is_short():
            return True
        self.evict_one()
        return False

    def end_stale(self) -> None:
        """End the idle sandboxes that died, whose code changed, or that were not used for IDLE_S."""
        oldest = time.monotonic() - IDLE_S
        for sandbox in list(self._all_idle()):
            if sandbox.used_at < oldest or not sandbox.is_reusable():
                self._drop(sandbox)
            elif sandbox.used_at < time.monotonic() - KEEP_DIRECTORY_S:
                sandbox.directory.remove()

    def kill_orphans(self) -> None:
        """Kill processes that lost their sandbox, and that this process adopted. Return at once."""
        self._starter.submit(self._kill_orphans).add_done_callback(_log_error)

    async def end(self, sandbox: Sandbox, exit_grace_s: float = 0.0) -> tuple[bool, int]:
        """Kill a sandbox with all its descendants. Its channels stay open: it may have left output.

        exit_grace_s: how long it may still end by itself. Return whether it did, and its exit status, negative for a
        signal.
        """
        sandbox.is_ending = True
        has_ended = exit_grace_s > 0 and await _ends_by_itself(sandbox.process, exit_grace_s)
        status = await asyncio.wrap_future(self._ender.end(sandbox.process))
        self.busy.discard(sandbox)
        if not sandbox.process.is_reaped():  # asleep in the kernel, as on a file system that hangs
            log.warning("sandbox killed but not reaped", extra={"pid": sandbox.pid})
        return has_ended, status

    def end_later(self, sandbox: Sandbox) -> None:
        """Kill an idle sandbox, and remove its working directory, without waiting."""
        sandbox.is_ending = True

        def close(done: Future[int]) -> None:
            _log_error(done)
            sandbox.close()

        self._ender.end(sandbox.process).add_done_callback(close)

    def snapshot(self, worker: str) -> list[SandboxSnapshot]:
        """Describe all sandboxes for the API and the SPA."""
        states = [(sandbox, True) for sandbox in self.busy] + [(sandbox, False) for sandbox in self._all_idle()]
        return [
            SandboxSnapshot(
                id=sandbox.id,
                pid=sandbox.pid,
                function=json.loads(sandbox.key)[0]["function"],
                state="busy" if is_busy else "idle",
                worker=worker if is_busy else None,
                age_s=round(time.monotonic() - sandbox.process.started_at, 1),
            )
            for sandbox, is_busy in states
        ]

    def close(self) -> None:
        """End all sandboxes."""
        self._starter.shutdown(cancel_futures=True)
        self._ender.close()
        sandboxes = [*self.busy, *self._all_idle()]
        end_all([sandbox.process for sandbox in sandboxes])
        for sandbox in sandboxes:
            sandbox.close()
        self._zygote.close()

    def _start(self, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxProcess:
        process = self._zygote.start(load, environment)
        self._processes.append(process)
        return process

    def _kill_orphans(self) -> None:
        """Run in the starter's thread: a sandbox that another thread was starting would look like an orphan."""
        self._processes = [process for process in self._processes if not process.is_reaped()]
        own = {self._zygote.pid} if self._zygote.pid is not None else set()
        process_tree.kill_orphans({process.pid for process in self._processes} | own | self._other_children())

    def _all_idle(self) -> Iterator[Sandbox]:
        return (sandbox for sandboxes in self._idle.values() for sandbox in sandboxes)

    def _drop(self, sandbox: Sandbox) -> None:
        self._idle[sandbox.key].remove(sandbox)
        if not self._idle[sandbox.key]:
            del self._idle[sandbox.key]
        self.end_later(sandbox)


def _load(function: FunctionSpec) -> dict[str, Any]:
    return {
        "type": "load",
        "root": function.root,
        "module": function.module,
        "function": function.name,
        "network": function.network,
        "memory_mb": function.memory_mb,
    }


def _log_error(done: Future[Any]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("sandbox not ended", exc_info=error)


async def _ends_by_itself(process: SandboxProcess, limit_s: float) -> bool:
    """Wait for a process to end, up to the limit; return whether it has."""
    ends_at, backoff = time.monotonic() + limit_s, Backoff(FIRST_POLL_S, MAX_POLL_S)
    while not process.is_reaped():
        if time.monotonic() >= ends_at:
            return False
        await asyncio.sleep(backoff.next_s())
    return True
