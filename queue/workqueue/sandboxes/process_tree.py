"""Kill a process with all its descendants, also those that moved to a session of their own."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import psutil

from workqueue.sandboxes.unix_user import impersonate_ids

UNREADABLE = (psutil.Error, OSError)  # the process is gone, or this one has no descriptor left
ORPHANS_LIMIT_S = 0.05  # for one call
POLL_S = 0.01  # between two checks for the end of a process
ENDED = ("", "Z", "X")  # states of a process: none, ended and not reaped
STOPPED_OR_ENDED = (*ENDED, "T", "t")  # also stopped, traced
# Linux lists the children of a process if it was built with CONFIG_PROC_CHILDREN, as those of distributions are.
KERNEL_LISTS_CHILDREN = Path("/proc/thread-self/children").exists()
MAX_DESCENDANTS = 10_000
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / (1024 * 1024)
MAX_STOP_ROUNDS = 10  # each finds the processes that were forked before their parent was stopped
OWNER = "_SANDBOX_OWNER"  # environment variable: the process that owns the sandbox
TAG = "_SANDBOX_ID"  # environment variable: the sandbox that a process descends from


def kill_tree(pid: int) -> None:
    """Kill a process, its group and its descendants. pid: a child that is not yet reaped.

    First all are stopped, so that none forks during the search; then all are killed. A process that left the tree
    because its parent ended is found by its tag (`kill_tagged`).
    """
    for descendant in _stop_tree(pid):
        _signal(descendant, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    _signal(pid, signal.SIGKILL)


def kill_orphans(known: set[int]) -> None:
    """Kill the children of this process that are not `known`: orphans of sandboxes that this process adopted.

    Their own children are adopted in turn and found by the next round; those that fork faster, by the next call. This
    never waits for a death: there may be thousands, and a traced process is reaped by its tracer.
    """
    ends_at = time.monotonic() + ORPHANS_LIMIT_S
    while orphans := [pid for pid in set(_child_pids(os.getpid())) - known if not _reap(pid)]:
        for pid in orphans:
            _signal(pid, signal.SIGKILL)
        if time.monotonic() >= ends_at:
            return


def _reap(pid: int) -> bool:
    """Reap a child if it has ended; return False while it runs."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def is_idle(pid: int) -> bool:
    """Return True if the process is alive, has no children, and is not stopped: user code may send itself SIGSTOP."""
    return _state(pid) not in STOPPED_OR_ENDED and not _child_pids(pid)


def is_stopped(pid: int) -> bool:
    """Return True if a signal has stopped the process (SIGSTOP)."""
    return _state(pid) == "T"


def _state(pid: int) -> str:
    """Return the state as one letter (proc(5), stat, field 3); empty if there is no process."""
    if sys.platform != "linux":
        return _slow_state(pid)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""


def _slow_state(pid: int) -> str:
    """Return the same on systems without /proc."""
    try:
        status = psutil.Process(pid).status()
    except UNREADABLE:
        return ""
    return {psutil.STATUS_STOPPED: "T", psutil.STATUS_ZOMBIE: "Z"}.get(status, "S")


def has_ended(pid: int, limit_s: float) -> bool:
    """Wait for a process that is not a child of this one; return whether it ended within the limit."""
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
    """Return the direct children."""
    if KERNEL_LISTS_CHILDREN:
        return _listed_children(pid)
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except UNREADABLE:
        return []


def _listed_children(pid: int) -> list[int]:
    """Return the children that the kernel lists for each thread of a process.

    psutil reads the whole process table instead: with hundreds of sandboxes that would take seconds.
    """
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _descendants(pid: int) -> list[int]:
    """Return the children, their children, and so on: at most MAX_DESCENDANTS, since user code may fork for ever."""
    if not KERNEL_LISTS_CHILDREN:
        try:
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        except UNREADABLE:
            return []
    found = _listed_children(pid)
    for each in found:  # grows in the loop
        if len(found) < MAX_DESCENDANTS:
            found += _listed_children(each)
    return found


def resident_mb(pid: int) -> float:
    """Return the resident memory of the process and its descendants in MiB; 0.0 when it is gone."""
    return sum(map(own_resident_mb, [pid, *_descendants(pid)]))


def own_resident_mb(pid: int) -> float:
    """Return the resident memory of the process in MiB; 0.0 when it is gone."""
    if sys.platform != "linux":
        return _slow_resident_mb(pid)
    try:  # psutil takes four times as long, and hundreds are measured each second
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB
    except OSError:
        return 0.0


def _slow_resident_mb(pid: int) -> float:
    """Return the same on systems without /proc."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / (1024 * 1024)
    except UNREADABLE:
        return 0.0


def owner_id() -> str:
    """Return this process's identity as an owner of sandboxes: its PID namespace, pid and start time.

    A pid alone may be reused, or belong to another container.
    """
    namespace = Path("/proc/self/ns/pid").readlink() if sys.platform == "linux" else "-"
    return f"{namespace} {os.getpid()} {_start_time(os.getpid())}"


def kill_abandoned() -> None:
    """Kill orphaned processes of sandboxes whose owner has exited."""
    here = owner_id().partition(" ")[0]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError, ValueError):
            namespace, pid, started = _environment(process).get(OWNER, "").split(" ")
            if namespace == here and _start_time(int(pid)) != started:
                _signal(process.pid, signal.SIGKILL)


def _start_time(pid: int) -> str | None:
    """Return the start time in ticks since boot (proc(5), stat, field 22), which no step of the wall clock changes.

    Other systems than Linux have only times of the wall clock. There all processes have the same start time, so that no
    step of the clock makes a living owner look dead; a reused pid keeps an orphan alive. None: there is no process.
    """
    if _state(pid) in ENDED:
        return None
    if sys.platform != "linux":
        return "-"
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def _stop_tree(pid: int) -> set[int]:
    """Send SIGSTOP to a process and its descendants; return the descendants."""
    found: set[int] = set()
    _signal(pid, signal.SIGSTOP)
    for _ in range(MAX_STOP_ROUNDS):
        new = set(_descendants(pid)) - found
        if not new:
            break
        for descendant in new:
            _signal(descendant, signal.SIGSTOP)
        found |= new
    return found


def kill_tagged(*tags: str) -> None:
    """Kill the remaining descendants of these sandboxes, which may be gone themselves. One walk over all processes."""
    with contextlib.suppress(*UNREADABLE):
        for process in psutil.process_iter():
            with contextlib.suppress(*UNREADABLE):
                if _environment(process).get(TAG) in tags:
                    _signal(process.pid, signal.SIGKILL)


def _environment(process: psutil.Process) -> dict[str, str]:
    """Return the environment of a process. As root in a container, read it as its account."""
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
