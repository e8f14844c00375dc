"""The sandbox pool of one machine: keeps sandboxes warm and leases them to the workers.

Any worker may get the next request of a function. If each worker kept its own sandboxes, the second call would often be
a cold start. So the workers' parent process owns all sandboxes: it starts, leases and reaps them. When a worker dies,
the pool ends its leases.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from workqueue.heartbeats.sandbox_snapshots import SandboxSnapshot
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.process import SandboxProcess
from workqueue.sandboxes.zygote import Zygote

log = logging.getLogger(__name__)

IDLE_S = 300.0  # a warm sandbox that was not used for this long is ended


class SandboxPool:
    """All sandboxes of the machine. max_idle: how many idle ones are kept warm."""

    def __init__(self, interpreter: Interpreter, max_idle: int) -> None:
        self.zygote = Zygote(interpreter)
        self.max_idle = max_idle
        self._idle: dict[str, list[SandboxProcess]] = {}
        self._leased: dict[str, tuple[str, str, SandboxProcess]] = {}  # id -> (worker, key, sandbox)
        self._unreaped: list[SandboxProcess] = []  # killed, and asleep in the kernel, as on a file system that hangs

    def acquire(self, worker: str, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxProcess:
        """Lease a warm sandbox of this function if one is reusable, else a new one that still has to import."""
        key = json.dumps([load, dict(environment)], sort_keys=True)
        sandbox = self._pop_warm(key)
        if sandbox is None:
            sandbox = self.zygote.start(load, environment)
        self._leased[sandbox.id] = (worker, key, sandbox)
        return sandbox

    def release(self, worker: str, id: str, ready: dict[str, Any]) -> None:
        """Take a reusable sandbox back from a worker. Ignore a sandbox that the worker has not leased."""
        lease = self._end_lease(worker, id)
        if lease is None:
            return
        key, sandbox = lease
        sandbox.ready, sandbox.used_at = ready, time.monotonic()
        if not process_tree.is_idle(sandbox.process.pid):
            self._end(sandbox)  # its request left processes behind, which may disturb the next request
            return
        self._idle.setdefault(key, []).append(sandbox)
        self._evict()

    def end(self, worker: str, id: str) -> int:
        """End a sandbox for a worker. Return the exit status; 0 if the worker has not leased the sandbox."""
        lease = self._end_lease(worker, id)
        return self._end(lease[1]) if lease is not None else 0

    def _end(self, sandbox: SandboxProcess) -> int:
        """End a sandbox without waiting for one that does not die: this thread serves all workers of the machine."""
        status = sandbox.end()
        if not sandbox.is_reaped():
            self._unreaped.append(sandbox)
            log.warning("sandbox killed but not reaped", extra={"pid": sandbox.process.pid})
        return status

    def reap(self) -> None:
        """Drop the killed sandboxes that have ended since."""
        self._unreaped = [sandbox for sandbox in self._unreaped if not sandbox.is_reaped()]

    def end_leases_of(self, worker: str) -> None:
        """End the sandboxes that a dead worker has leased."""
        for id in [id for id, (holder, _, _) in self._leased.items() if holder == worker]:
            self.end(worker, id)

    def _end_lease(self, worker: str, id: str) -> tuple[str, SandboxProcess] | None:
        """End a lease; return None for one that the worker does not hold.

        A faulty worker must end neither the pool nor a sandbox that another worker uses.
        """
        if self._leased.get(id, ("",))[0] != worker:
            log.warning("sandbox lease not held by this worker", extra={"worker": worker})
            return None
        _, key, sandbox = self._leased.pop(id)
        return key, sandbox

    def pids(self) -> set[int]:
        """Return the pids of all sandboxes and of the zygote."""
        own = {self.zygote.pid} if self.zygote.pid is not None else set()
        return own | {sandbox.process.pid for sandbox in (*self._all(), *self._unreaped)}

    def snapshot(self) -> list[SandboxSnapshot]:
        """Describe all sandboxes for the API and the SPA."""
        leased = [(key, sandbox, worker) for worker, key, sandbox in self._leased.values()]
        idle = [(key, sandbox, None) for key, sandboxes in self._idle.items() for sandbox in sandboxes]
        return [
            SandboxSnapshot(
                id=sandbox.id,
                pid=sandbox.process.pid,
                function=json.loads(key)[0].get("function"),
                state="idle" if worker is None else "busy",
                worker=worker,
                age_s=round(time.monotonic() - sandbox.started_at, 1),
            )
            for key, sandbox, worker in (*leased, *idle)
        ]

    def end_stale(self) -> None:
        """End the idle sandboxes that died, whose code changed, or that were not used for IDLE_S."""
        oldest = time.monotonic() - IDLE_S
        for key, sandboxes in list(self._idle.items()):
            for sandbox in [sandbox for sandbox in sandboxes if sandbox.used_at < oldest or not sandbox.is_reusable()]:
                self._drop(key, sandbox)

    def close_inherited(self) -> None:
        """Close the pool's descriptors in a process forked from the pool."""
        for sandbox in self._all():
            sandbox.close()
        self.zygote.close_inherited()

    def close(self) -> None:
        """End all sandboxes together: one walk over the process table finds what left their trees."""
        sandboxes = self._all()
        for sandbox in sandboxes:
            sandbox.kill()
        process_tree.kill_tagged(*(sandbox.id for sandbox in sandboxes))
        for sandbox in sandboxes:
            sandbox.reap()
        self._leased, self._idle = {}, {}
        self.zygote.close()

    def _all(self) -> list[SandboxProcess]:
        leased = [sandbox for _, _, sandbox in self._leased.values()]
        return leased + [sandbox for idle in self._idle.values() for sandbox in idle]

    def _pop_warm(self, key: str) -> SandboxProcess | None:
        while sandboxes := self._idle.get(key):
            sandbox = sandboxes[-1]  # the one used last: its memory is most likely cached
            self._idle[key].pop()
            if sandbox.is_reusable():
                return sandbox
            self._end(sandbox)
        return None

    def _evict(self) -> None:
        while sum(map(len, self._idle.values())) > self.max_idle:
            key, sandbox = min(
                ((key, sandbox) for key, sandboxes in self._idle.items() for sandbox in sandboxes),
                key=lambda entry: entry[1].used_at,
            )
            self._drop(key, sandbox)

    def _drop(self, key: str, sandbox: SandboxProcess) -> None:
        self._idle[key].remove(sandbox)
        if not self._idle[key]:
            del self._idle[key]
        self._end(sandbox)
