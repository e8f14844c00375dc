"""Keeps the sandboxes of one machine warm and lends them to its workers.

Workers are single processes that take turns at the queue; were each to keep its own sandboxes, the second call of
a function would often meet a cold one. So the pool's parent process owns them all: it starts them, lends the
one that was used last, takes it back, and reaps the dead. A worker that dies ends its loans.
"""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from localfn import frames
from workqueue import process_tree

IDLE_S = 300.0  # a warm sandbox that nobody asked for so long is ended
BOOT = "from localfn.loop import main; main({fd})"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """How a sandbox is started. python: its interpreter; sdk: folder with only the localfn package in it."""

    python: str
    sdk: Path
    environment: Mapping[str, str]
    max_result_bytes: int

    def start(self, load: dict[str, Any], environment: Mapping[str, str]) -> "Child":
        """Starts an interpreter and tells it what to load. load: a "load" or "describe" head."""
        ours, theirs = socket.socketpair()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        tag = uuid4().hex
        paths = [str(self.sdk), *filter(None, [self.environment.get("PYTHONPATH")])]
        variables = {
            **self.environment,
            **environment,
            "PYTHONPATH": os.pathsep.join(paths),
            process_tree.TAG: tag,
            process_tree.OWNER: process_tree.owner(),
        }
        try:
            process = subprocess.Popen(
                [self.python, "-c", BOOT.format(fd=theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=out_write,
                stderr=err_write,
                pass_fds=[theirs.fileno()],
                env=variables,
                cwd="/",
                start_new_session=True,
            )
        except (OSError, ValueError):
            ours.close()
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            theirs.close()
            os.close(out_write)
            os.close(err_write)
        with contextlib.suppress(OSError):  # it died at once: its driver will see that
            frames.write(ours, load | {"max_result_bytes": self.max_result_bytes})
        return Child(tag, process, ours, out_read, err_read)


@dataclass(slots=True)
class Child:
    """A sandbox as its owner sees it: the process, and our ends of its socket and pipes."""

    id: str
    process: "subprocess.Popen[bytes]"
    control: socket.socket
    stdout: int
    stderr: int
    ready: dict[str, Any] | None = None
    used_at: float = field(default_factory=time.monotonic)

    @property
    def fds(self) -> list[int]:
        return [self.control.fileno(), self.stdout, self.stderr]

    def is_fresh(self) -> bool:
        """Whether it lives, is silent, and the code on disk is still what it imported."""
        if self.process.poll() is not None or self.ready is None or not process_tree.is_idle(self.process.pid):
            return False
        return all(_stamp(path) == (mtime, size) for path, mtime, size in self.ready["files"])

    def end(self) -> int:
        """Kills it with all that it started and reaps it; gives its exit status, negative for a signal."""
        if self.process.poll() is None:
            process_tree.end(self.process.pid, self.id)
        else:
            process_tree.end_tagged(self.id)  # it died by itself, and what it had started did not
        status = self.process.wait()
        self.close()
        return status

    def close(self) -> None:
        self.control.close()
        os.close(self.stdout)
        os.close(self.stderr)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class SandboxHost:
    """The stock of sandboxes. max_idle: how many are kept warm while nobody uses them."""

    def __init__(self, interpreter: Interpreter, max_idle: int) -> None:
        self.interpreter = interpreter
        self.max_idle = max_idle
        self._idle: dict[str, list[Child]] = {}
        self._lent: dict[str, tuple[str, str, Child]] = {}  # id -> (borrower, key, child)

    def lend(self, borrower: str, load: dict[str, Any], environment: Mapping[str, str]) -> Child:
        """A warm sandbox of this function if there is a fresh one, else a new one that still has to import."""
        key = json.dumps([load, dict(environment)], sort_keys=True)
        child = self._warm(key)
        if child is None:
            child = self.interpreter.start(load, environment)
        self._lent[child.id] = (borrower, key, child)
        return child

    def take_back(self, id: str, ready: dict[str, Any]) -> None:
        """A borrower is done with it and found it in order."""
        _, key, child = self._lent.pop(id)
        child.ready, child.used_at = ready, time.monotonic()
        if not process_tree.is_idle(child.process.pid):
            child.end()  # what a request started ends with it; there is no telling it from what is meant to stay
            return
        self._idle.setdefault(key, []).append(child)
        self._evict()

    def end(self, id: str) -> int:
        """A borrower wants it ended; gives the exit status."""
        _, _, child = self._lent.pop(id)
        return child.end()

    def end_loans_of(self, borrower: str) -> None:
        """The borrower died: nobody drives its sandboxes any more."""
        for id in [id for id, (who, _, _) in self._lent.items() if who == borrower]:
            self.end(id)

    def pids(self) -> set[int]:
        """The processes of all sandboxes."""
        lent = [child for _, _, child in self._lent.values()]
        return {child.process.pid for children in (lent, *self._idle.values()) for child in children}

    def end_stale(self) -> None:
        """Ends the idle ones that died, whose code changed, or that nobody wanted for long."""
        oldest = time.monotonic() - IDLE_S
        for key, children in list(self._idle.items()):
            for child in [child for child in children if child.used_at < oldest or not child.is_fresh()]:
                self._drop(key, child)

    def let_go(self) -> None:
        """In a process forked from the host's: closes its copies of what belongs to the host."""
        children = [child for _, _, child in self._lent.values()]
        children += [child for idle in self._idle.values() for child in idle]
        for child in children:
            child.close()

    def close(self) -> None:
        for _, _, child in self._lent.values():
            child.end()
        for children in self._idle.values():
            for child in children:
                child.end()
        self._lent, self._idle = {}, {}

    def _warm(self, key: str) -> Child | None:
        while children := self._idle.get(key):
            child = children[-1]  # the one used last: its memory is the likeliest to be in the caches
            self._idle[key].pop()
            if child.is_fresh():
                return child
            child.end()
        return None

    def _evict(self) -> None:
        while sum(map(len, self._idle.values())) > self.max_idle:
            key, child = min(
                ((key, child) for key, children in self._idle.items() for child in children),
                key=lambda entry: entry[1].used_at,
            )
            self._drop(key, child)

    def _drop(self, key: str, child: Child) -> None:
        self._idle[key].remove(child)
        if not self._idle[key]:
            del self._idle[key]
        child.end()
