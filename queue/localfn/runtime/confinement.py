"""Set the kernel's limits of a sandbox before its first request; user code cannot raise them again.

The runtime kills a sandbox above its memory limit or past its deadline (docs/explanation/security.md). These limits
hold where the runtime is too slow to react.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import resource
import sys
import threading

from localfn.errors import LocalfnError

MIB = 1024 * 1024
PROCESSORS = os.cpu_count() or 1  # read once: the C library opens a file for each call
THREAD_STACK_BYTES = 2 * MIB  # of each Python thread; 64 stacks of the C library's 8 MiB would use up 512 MiB
THREADS_ROOM_MB = 512  # added to the memory limit for stacks
MAX_OPEN_FILES = 4096  # open at a time, in each process
MAX_FILE_BYTES = 10 * 1024 * MIB  # of one file
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPABILITIES_V3 = 0x20080522  # header of capset(2); two sets of three masks follow
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def drop_privileges() -> None:
    """Give up, for good, rights beyond those of the account, before user code runs. Linux only."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    # Programs that user code starts gain no rights by setuid: no sudo.
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.geteuid() != 0:
        # The kernel drops capabilities when root changes its account, except with PR_SET_KEEPCAPS.
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        libc.capset((ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)())


def set_private(*, private: bool) -> None:
    """Deny (or allow) other processes of the account to read or trace this one (ptrace). Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, int(not private), 0, 0, 0)


def confine(memory_mb: int, *, network: bool) -> None:
    """Apply the limits for good. Raises LocalfnError if `network` is False and the system does not allow it."""
    if not network:
        leave_network()
    _set_limits(memory_mb)


def limit_cpu(limit_s: float) -> None:
    """Limit the processor time of the sandbox from now on; beyond it the kernel kills the sandbox.

    limit_s: seconds, for each core. The runtime kills earlier, by wall time: this limit holds if the runtime hangs.
    """
    used_s = sum(os.times()[:2])
    soft = math.ceil(used_s + (limit_s + 10) * PROCESSORS)
    with contextlib.suppress(ValueError):  # above the inherited hard limit, which holds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def fence_mb(memory_mb: int) -> int:
    """Return how much memory a sandbox may allocate, in MiB.

    This limit stops allocations that are too quick for the runtime's check of resident memory. It counts address
    space that may never be used (thread stacks, arenas), so the limit is generous.
    """
    return max(2 * memory_mb, memory_mb + 512) + THREADS_ROOM_MB


def shrink_thread_stacks() -> None:
    """Give threads that Python starts smaller stacks. Linux only: elsewhere they do not count as allocated memory."""
    if sys.platform == "linux":
        threading.stack_size(THREAD_STACK_BYTES)


def _set_limits(memory_mb: int) -> None:
    limits = {
        resource.RLIMIT_DATA: fence_mb(memory_mb) * MIB,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: MAX_OPEN_FILES,
        resource.RLIMIT_FSIZE: MAX_FILE_BYTES,
    }
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        lowest = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (lowest, lowest))


def leave_network() -> None:
    """Move this process into an empty network namespace, without loopback. Raises LocalfnError if that fails."""
    if sys.platform != "linux":
        raise LocalfnError("network=False needs Linux; remove it, or run localfn in a container without a network.")
    if threading.active_count() > 1:
        raise LocalfnError(
            "network=False: the module starts threads during its import, and they keep the network; start them later."
        )
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    # Root needs no user namespace. Other accounts need one, if the kernel allows it.
    flags = CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise LocalfnError(
            f"network=False: this system does not let the sandbox leave the network ({reason}). Allow unprivileged "
            "user namespaces, run localfn as root with CAP_SYS_ADMIN, or remove network=False."
        )
    if flags & CLONE_NEWUSER:
        _map_own_account(user, group)


def _map_own_account(user: int, group: int) -> None:
    """Map the account to itself in the new user namespace, so that owners of files stay the same."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
