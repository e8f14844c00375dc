"""A sandbox as its owner sees it: the process, and our ends of its sockets and pipes."""

import contextlib
import os
import secrets
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from workqueue.backoff import Backoff
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.user import UnixUser

# What is killed is dead by then; or it sleeps in the kernel (a file system that hangs), or another process of its
# account traces it, which is told first and may keep it to itself.
DEATH_S = 1.0
FIRST_POLL_S, MAX_POLL_S = 0.0005, 0.02  # between two checks for the end of a process
MAX_FILES = 10_000  # that are looked at each time, in the process that serves all workers


class Process(Protocol):
    """A child process of ours; `subprocess.Popen` is one."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it lives."""


class ForkedProcess:
    """A child process that nobody started by `subprocess`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


def wait_for_exit(process: Process, limit_s: float) -> int | None:
    """The exit status of one that was killed or told to end; None when it has not ended within the limit."""
    ends_at, backoff = time.monotonic() + limit_s, Backoff(FIRST_POLL_S, MAX_POLL_S)
    while (status := process.poll()) is None and time.monotonic() < ends_at:
        time.sleep(backoff.next_s())
    return status


@dataclass(frozen=True, slots=True)
class SandboxPipes:
    """What a sandbox is made with: a socket for frames, a pipe for each stream of output, and a socket for turns.

    turns: both ends are ours; the sandbox has the second one, too. Each byte in it lets one request begin. Sockets,
    because each side says with each call that it does not wait; the flag of a pipe user code could change for both.
    """

    control: socket.socket
    stdout: int
    stderr: int
    start_tokens: tuple[socket.socket, socket.socket]
    child_control: socket.socket
    child_stdout: int
    child_stderr: int

    @classmethod
    def make(cls, account: UnixUser | None = None) -> "SandboxPipes":
        """account: who has the other ends. Raises OSError, and leaves none of them open then."""
        with contextlib.ExitStack() as made:
            ours, theirs = map(made.enter_context, socket.socketpair())
            turns = socket.socketpair()
            for end in turns:
                made.enter_context(end)
            (out_read, out_write), (err_read, err_write) = _pipe(made), _pipe(made)
            if account is not None:
                account.chown(out_write)  # /dev/stdout is opened anew by whoever names it
                account.chown(err_write)
            made.pop_all()
        return cls(ours, out_read, err_read, turns, theirs, out_write, err_write)

    @property
    def parent_fds(self) -> list[int]:
        return [self.control.fileno(), self.stdout, self.stderr, *(end.fileno() for end in self.start_tokens)]

    @property
    def child_fds(self) -> list[int]:
        return [self.child_control.fileno(), self.child_stdout, self.child_stderr, self.start_tokens[1].fileno()]

    def close_child_side(self) -> None:
        """The sandbox has them now, or never will."""
        self.child_control.close()
        os.close(self.child_stdout)
        os.close(self.child_stderr)

    def close_parent_side(self) -> None:
        for end in (self.control, *self.start_tokens):
            end.close()
        for fd in (self.stdout, self.stderr):
            os.close(fd)


def _pipe(made: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        made.callback(os.close, end)
    return ends


@dataclass(frozen=True, slots=True)
class SandboxLease:
    """What is told to whoever drives a sandbox.

    mark: what it writes behind the output of each request. ready: as in `Child`.
    """

    id: str
    pid: int
    mark: str
    ready: dict[str, Any] | None


@dataclass(slots=True)
class SandboxProcess:
    """One sandbox. id: the tag in its environment, and in that of what it starts.

    ready: what it said of its function, or None while it still imports. mark: parts the output of its requests; not
    to be guessed by user code, which could otherwise give its own words to the next request.
    """

    id: str
    process: Process
    pipes: SandboxPipes
    ready: dict[str, Any] | None = None
    mark: str = field(default_factory=lambda: f"\0{secrets.token_hex(16)}")
    used_at: float = field(default_factory=time.monotonic)
    started_at: float = field(default_factory=time.monotonic)

    @property
    def parent_fds(self) -> list[int]:
        return self.pipes.parent_fds

    def lease(self) -> SandboxLease:
        return SandboxLease(self.id, self.process.pid, self.mark, self.ready)

    def is_reusable(self) -> bool:
        """Whether it lives, is silent, and the code on disk is still what it imported."""
        if self.process.poll() is not None or self.ready is None or not process_tree.is_idle(self.process.pid):
            return False
        return are_unchanged(self.ready.get("files"))

    def end(self) -> int:
        """Kills it with all that it started; gives its exit status, negative for a signal.

        It is reaped, unless it sleeps in the kernel and hears of the kill when it wakes (`is_reaped`).
        """
        self.kill()
        process_tree.kill_tagged(self.id)
        return self.reap()

    def kill(self) -> None:
        """With all that it started, but for what has left its tree; that has its tag."""
        if self.process.poll() is None:
            process_tree.kill_tree(self.process.pid)

    def reap(self) -> int:
        """After its kill: as `end`."""
        status = wait_for_exit(self.process, DEATH_S)
        self.close()
        return -signal.SIGKILL if status is None else status

    def is_reaped(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        self.pipes.close_parent_side()


def are_unchanged(files: object) -> bool:
    """Whether the files that a sandbox has imported are still the same on disk: [path, mtime in ns, size] each.

    User code may have said anything: what is no such list, or one that takes long to look through, is not the same.
    """
    if not isinstance(files, list) or len(files) > MAX_FILES:
        return False
    try:
        return all(_stamp(path) == (mtime, size) for path, mtime, size in files)
    except (TypeError, ValueError):
        return False


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
