"""Ends a process with everything that it started, also what moved to a session of its own."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import psutil

from workqueue.sandboxes.user import impersonate_ids

UNREADABLE = (psutil.Error, OSError)  # it is gone; or there is no descriptor left to look with
ORPHANS_LIMIT_S = 0.05  # for the strays of one look; whoever looks serves workers, too
POLL_S = 0.01  # between two looks at a process that is about to end
MAX_STOP_ROUNDS = 10  # of stopping; each finds what was forked before the parent stood still
OWNER = "_SANDBOX_OWNER"  # environment variable that tells whose sandbox a process belongs to
TAG = "_SANDBOX_ID"  # environment variable by which strays are recognised


def kill_tree(pid: int) -> None:
    """Kills process `pid`, its group and its descendants; `pid` must be a child that is not yet reaped.

    First all are stopped, so that none forks while we look; then all are killed. Whoever left the tree by
    outliving its parent is found by its tag (`end_tagged`).
    """
    found = _stop_tree(pid)
    for process in found:
        _signal(process.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    _signal(pid, signal.SIGKILL)


def kill_orphans(known: set[int]) -> None:
    """Ends children of this process that nobody knows: they lost their parent, a sandbox, and came to us.

    What they had started comes to us in turn, and is found by the next round; what forks faster than we look, by the
    next call. Never waits for the death of one: there may be thousands, and some that are traced die for their tracer.
    """
    ends_at = time.monotonic() + ORPHANS_LIMIT_S
    while living := [pid for pid in set(_child_pids(os.getpid())) - known if not _is_reaped(pid)]:
        for pid in living:
            _signal(pid, signal.SIGKILL)
        if time.monotonic() >= ends_at:
            return


def _is_reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def is_idle(pid: int) -> bool:
    """Whether the process lives, is not stopped (its own code may have sent it SIGSTOP), and has no children."""
    try:
        stopped = psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    except UNREADABLE:
        return False
    return not stopped and not _child_pids(pid)


def has_ended(pid: int, limit_s: float) -> bool:
    """Wait for a process that another one reaps; return whether it ended within the limit."""
    ends_at = time.monotonic() + limit_s
    while True:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        if time.monotonic() >= ends_at:
            return False
        time.sleep(POLL_S)


def _child_pids(pid: int) -> list[int]:
    """Direct children. The kernel keeps a list of them (Linux); elsewhere the whole process table is searched."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        lists = []
    if lists:
        return [int(child) for text in lists for child in text.split()]
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except UNREADABLE:
        return []


def resident_mb(pid: int) -> float:
    """Resident memory of the process and its descendants in MiB; 0.0 when it is gone."""
    total = 0
    try:
        top = psutil.Process(pid)
        for process in [top, *top.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    except psutil.Error:
        return 0.0
    return total / (1024 * 1024)


def owner_id() -> str:
    """This process as an owner of sandboxes: a pid alone could be anybody's one day, or mean another container's.

    Empty elsewhere than on Linux.
    """
    if sys.platform != "linux":
        return ""
    return f"{Path('/proc/self/ns/pid').readlink()} {os.getpid()} {_start_time(os.getpid())}"


def kill_abandoned() -> None:
    """Kills what the sandboxes of owners that are gone had started: nobody else knows of it any more. Linux only."""
    here = owner_id().partition(" ")[0]
    for process in psutil.process_iter() if here else ():
        with contextlib.suppress(psutil.Error, OSError, ValueError):
            namespace, pid, started = _environment(process).get(OWNER, "").split(" ")
            if namespace == here and _start_time(int(pid)) != started:
                _signal(process.pid, signal.SIGKILL)


def _start_time(pid: int) -> str | None:
    """When it started, in ticks since the boot (proc(5), stat, field 22); no step of the wall clock changes it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _stop_tree(pid: int) -> set[psutil.Process]:
    found: set[psutil.Process] = set()
    _signal(pid, signal.SIGSTOP)
    for _ in range(MAX_STOP_ROUNDS):
        try:
            new = set(psutil.Process(pid).children(recursive=True)) - found
        except UNREADABLE:
            break
        if not new:
            break
        for process in new:
            _signal(process.pid, signal.SIGSTOP)
        found |= new
    return found


def kill_tagged(*tags: str) -> None:
    """Kills what these sandboxes started and left behind; they themselves may be gone. One walk over all processes."""
    with contextlib.suppress(*UNREADABLE):
        for process in psutil.process_iter():
            with contextlib.suppress(*UNREADABLE):
                if _environment(process).get(TAG) in tags:
                    _signal(process.pid, signal.SIGKILL)


def _environment(process: psutil.Process) -> dict[str, str]:
    """Its environment. Root may read that of another account's in any case only outside of containers."""
    try:
        return dict(process.environ())
    except psutil.AccessDenied:
        if os.geteuid() != 0 or sys.platform != "linux":
            raise
    with impersonate_ids(process.uids().effective, process.gids().effective):
        return dict(process.environ())


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
