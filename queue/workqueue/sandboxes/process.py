"""The process of a sandbox, and its parent's ends of its sockets and pipes."""

import contextlib
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from workqueue.backoff import Backoff
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.unix_user import UnixUser

# A killed process normally ends within this time. Exceptions: it sleeps in the kernel (a file system hangs), or a
# tracer of the same account holds the notification back.
DEATH_S = 1.0
FIRST_POLL_S, MAX_POLL_S = 0.0005, 0.02  # between two checks for the end of a process
BUFFER_BYTES = 256 * 1024  # of the socket for frames; macOS has 8 KiB
MAX_FILES = 10_000  # imported files to compare with the disk


class Process(Protocol):
    """A child process; `subprocess.Popen` satisfies this protocol."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while the process runs."""


class ForkedProcess:
    """A child process that was forked without `subprocess`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None
        self._lock = threading.Lock()  # only one thread can reap a process

    def poll(self) -> int | None:
        with self._lock:
            if self._status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._status = os.waitstatus_to_exitcode(status)
            return self._status


def wait_for_exit(process: Process, limit_s: float) -> int | None:
    """Wait for a process to end. Return its exit status; None when the limit passes first."""
    ends_at, backoff = time.monotonic() + limit_s, Backoff(FIRST_POLL_S, MAX_POLL_S)
    while (status := process.poll()) is None and time.monotonic() < ends_at:
        time.sleep(backoff.next_s())
    return status


@dataclass(frozen=True, slots=True)
class SandboxPipes:
    """The channels of a sandbox: a socket for frames, a pipe per output stream, and a socket pair for start tokens.

    start_tokens: the parent keeps both ends, and the sandbox has the second one too. Each byte lets one request begin.
    A socket, not a pipe, because MSG_DONTWAIT holds for a single call. A pipe's O_NONBLOCK flag is shared, and user
    code could clear it for both sides.
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
        """Open the channels. Raises OSError, and leaves no descriptor open then.

        account: the account that the sandbox runs as; None for the parent's own.
        """
        with contextlib.ExitStack() as made:
            parent, child = map(made.enter_context, socket.socketpair())
            for end in (parent, child):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            start_tokens = socket.socketpair()
            for end in start_tokens:
                made.enter_context(end)
            (out_read, out_write), (err_read, err_write) = _pipe(made), _pipe(made)
            if account is not None:
                account.chown(out_write)  # user code may open /dev/stdout by its name
                account.chown(err_write)
            made.pop_all()
        return cls(parent, out_read, err_read, start_tokens, child, out_write, err_write)

    @property
    def child_fds(self) -> list[int]:
        return [self.child_control.fileno(), self.child_stdout, self.child_stderr, self.start_tokens[1].fileno()]

    def close_child_side(self) -> None:
        """Close the sandbox's ends in the parent, after the start or after its failure."""
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


@dataclass(slots=True)
class SandboxProcess:
    """One sandbox, owned by the process that started it. id: the tag in its environment, which its descendants inherit.

    mark: separates the output of its requests. It is random: user code that guessed it could attribute its output to
    the next request.
    """

    id: str
    process: Process
    pipes: SandboxPipes
    mark: str = field(default_factory=lambda: f"\0{secrets.token_hex(16)}")
    started_at: float = field(default_factory=time.monotonic)

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self) -> int:
        """Kill the sandbox with all its descendants, and return its exit status, negative for a signal.

        The process is reaped, unless it sleeps in the kernel; then the kill takes effect when it wakes (`is_reaped`).
        """
        return end_all([self])[0]

    def is_reaped(self) -> bool:
        return self.process.poll() is not None

    def close(self) -> None:
        """Close the runtime's ends of the channels."""
        self.pipes.close_parent_side()


def end_all(processes: Sequence[SandboxProcess]) -> list[int]:
    """End several sandboxes as `SandboxProcess.end` does.

    One walk over the process table finds the descendants that left the trees.
    """
    for each in processes:
        if each.process.poll() is None:
            process_tree.kill_tree(each.pid)
    process_tree.kill_tagged(*(each.id for each in processes))
    ends_at = time.monotonic() + DEATH_S
    statuses = [wait_for_exit(each.process, max(0.0, ends_at - time.monotonic())) for each in processes]
    return [-signal.SIGKILL if status is None else status for status in statuses]


def are_unchanged(files: object) -> bool:
    """Return True if the files that a sandbox imported are unchanged on disk. files: [path, mtime in ns, size] each.

    The list comes from a process that runs user code: a list that is malformed or too long counts as changed.
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
