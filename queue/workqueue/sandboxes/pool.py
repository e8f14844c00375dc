"""Keeps the sandboxes of one machine warm and lends them to its workers.

Workers are single processes that take turns at the queue; were each to keep its own sandboxes, the second call of
a function would often meet a cold one. So the pool's parent process owns them all: it starts them, lends the
one that was used last, takes it back, and reaps the dead. A worker that dies ends its loans.
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

IDLE_S = 300.0  # a warm sandbox that nobody asked for so long is ended


class SandboxPool:
    """The stock of sandboxes. max_idle: how many are kept warm while nobody uses them."""

    def __init__(self, interpreter: Interpreter, max_idle: int) -> None:
        self.zygote = Zygote(interpreter)
        self.max_idle = max_idle
        self._idle: dict[str, list[SandboxProcess]] = {}
        self._lent: dict[str, tuple[str, str, SandboxProcess]] = {}  # id -> (borrower, key, child)
        self._dying: list[SandboxProcess] = []  # killed, and asleep in the kernel: on a file system that hangs, say

    def acquire(self, connection: str, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxProcess:
        """A warm sandbox of this function if there is a fresh one, else a new one that still has to import."""
        key = json.dumps([load, dict(environment)], sort_keys=True)
        child = self._warm(key)
        if child is None:
            child = self.zygote.start(load, environment)
        self._lent[child.id] = (connection, key, child)
        return child

    def release(self, connection: str, id: str, ready: dict[str, Any]) -> None:
        """A borrower is done with it and found it in order. What it had not borrowed is no matter of its own."""
        lease = self._lease(connection, id)
        if lease is None:
            return
        key, child = lease
        child.ready, child.used_at = ready, time.monotonic()
        if not process_tree.is_idle(child.process.pid):
            self._end(child)  # what a request started ends with it; there is no telling it from what is meant to stay
            return
        self._idle.setdefault(key, []).append(child)
        self._evict()

    def end(self, connection: str, id: str) -> int:
        """A borrower wants it ended; gives the exit status, 0 for what it had not borrowed."""
        lease = self._lease(connection, id)
        return self._end(lease[1]) if lease is not None else 0

    def _end(self, child: SandboxProcess) -> int:
        """One that does not die is not waited for: this thread serves all workers of the machine."""
        status = child.end()
        if not child.is_reaped():
            self._dying.append(child)
            log.warning("a sandbox was killed and does not die; it is not waited for", extra={"pid": child.process.pid})
        return status

    def reap(self) -> None:
        """Those of them that have died at last."""
        self._dying = [child for child in self._dying if not child.is_reaped()]

    def end_leases_of(self, connection: str) -> None:
        """The borrower died: nobody drives its sandboxes any more."""
        for id in [id for id, (who, _, _) in self._lent.items() if who == connection]:
            self.end(connection, id)

    def _lease(self, connection: str, id: str) -> tuple[str, SandboxProcess] | None:
        """Ends a loan. A worker that is mistaken must not end the pool, nor what another one uses."""
        if self._lent.get(id, ("",))[0] != connection:
            log.warning("a sandbox was returned by a worker that had not borrowed it", extra={"worker": connection})
            return None
        _, key, child = self._lent.pop(id)
        return key, child

    def pids(self) -> set[int]:
        """The processes of all sandboxes, and of what forks them."""
        own = {self.zygote.pid} if self.zygote.pid is not None else set()
        return own | {child.process.pid for child in (*self._children(), *self._dying)}

    def snapshot(self) -> list[SandboxSnapshot]:
        """All that there are, for people to see."""
        lent = [(key, child, connection) for connection, key, child in self._lent.values()]
        idle = [(key, child, None) for key, children in self._idle.items() for child in children]
        return [
            SandboxSnapshot(
                id=child.id,
                pid=child.process.pid,
                function=json.loads(key)[0].get("function"),
                state="idle" if connection is None else "busy",
                worker=connection,
                age_s=round(time.monotonic() - child.started_at, 1),
            )
            for key, child, connection in (*lent, *idle)
        ]

    def end_stale(self) -> None:
        """Ends the idle ones that died, whose code changed, or that nobody wanted for long."""
        oldest = time.monotonic() - IDLE_S
        for key, children in list(self._idle.items()):
            for child in [child for child in children if child.used_at < oldest or not child.is_reusable()]:
                self._drop(key, child)

    def close_inherited(self) -> None:
        """In a process forked from the host's: closes its copies of what belongs to the host."""
        for child in self._children():
            child.close()
        self.zygote.close_inherited()

    def close(self) -> None:
        """Ends all of them, together: what left its tree is looked for once."""
        children = self._children()
        for child in children:
            child.kill()
        process_tree.kill_tagged(*(child.id for child in children))
        for child in children:
            child.reap()
        self._lent, self._idle = {}, {}
        self.zygote.close()

    def _children(self) -> list[SandboxProcess]:
        lent = [child for _, _, child in self._lent.values()]
        return lent + [child for idle in self._idle.values() for child in idle]

    def _warm(self, key: str) -> SandboxProcess | None:
        while children := self._idle.get(key):
            child = children[-1]  # the one used last: its memory is the likeliest to be in the caches
            self._idle[key].pop()
            if child.is_reusable():
                return child
            self._end(child)
        return None

    def _evict(self) -> None:
        while sum(map(len, self._idle.values())) > self.max_idle:
            key, child = min(
                ((key, child) for key, children in self._idle.items() for child in children),
                key=lambda entry: entry[1].used_at,
            )
            self._drop(key, child)

    def _drop(self, key: str, child: SandboxProcess) -> None:
        self._idle[key].remove(child)
        if not self._idle[key]:
            del self._idle[key]
        self._end(child)
