"""What a sandbox may use: limits of the kernel, set before its first request; user code cannot raise them again.

The runtime's own watch ends what takes too much memory or time (docs/security.md); these are the fences behind it.
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
PROCESSORS = os.cpu_count() or 1  # the C library reads a file for each look
THREAD_STACK_BYTES = 2 * MIB  # each of Python's; of the C library's 8 MiB 126 would use up the fence of 512 MiB
THREADS_ROOM_MB = 512  # added to the fence for stacks
MOST_FILES = 4096  # open at a time, in each process
MOST_FILE_BYTES = 10 * 1024 * MIB  # of one file
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPABILITIES_V3 = 0x20080522  # of the header that capset(2) wants; two sets of three masks follow
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def drop_privileges() -> None:
    """For good: rights beyond those of the account, before any code of the user's runs. Linux only."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    # No program that user code starts gets more rights by its owner's bit: no sudo, no ping of old.
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.geteuid() != 0:
        # The kernel took them when root became somebody else, unless it was told not to.
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        libc.capset((ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)())


def be_private(*, private: bool) -> None:
    """Whether other processes of the account may neither look into this one nor change it (ptrace). Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, int(not private), 0, 0, 0)


def confine(memory_mb: int, *, network: bool) -> None:
    """For good. Raises LocalfnError when `network` is to be off and cannot be."""
    if not network:
        leave_network()
    _limit(memory_mb)


def grant_cpu(limit_s: float) -> None:
    """From here on so much processor time, on all cores; beyond it the kernel ends the sandbox.

    The runtime ends it earlier, by the clock on the wall: this is for whatever it would not find.
    """
    used_s = sum(os.times()[:2])
    soft = math.ceil(used_s + (limit_s + 10) * PROCESSORS)
    with contextlib.suppress(ValueError):  # above the hard limit that we were started with: that one holds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def fence_mb(memory_mb: int) -> int:
    """Return how much memory a sandbox may allocate, in MiB.

    A backstop for allocations too quick for the runtime's own watch on resident memory. It counts address space that
    may never be used (thread stacks, arenas), hence the ample room.
    """
    return max(2 * memory_mb, memory_mb + 512) + THREADS_ROOM_MB


def shrink_thread_stacks() -> None:
    """Give threads that Python starts smaller stacks. Linux only: elsewhere they do not count as allocated memory."""
    if sys.platform == "linux":
        threading.stack_size(THREAD_STACK_BYTES)


def _limit(memory_mb: int) -> None:
    limits = {
        resource.RLIMIT_DATA: fence_mb(memory_mb) * MIB,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: MOST_FILES,
        resource.RLIMIT_FSIZE: MOST_FILE_BYTES,
    }
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (least, least))


def leave_network() -> None:
    """Into a network of its own in which there is nothing, not even the loopback."""
    if sys.platform != "linux":
        raise LocalfnError("network=False needs Linux; take it off the function, or run it in a container without one.")
    if threading.active_count() > 1:
        raise LocalfnError("network=False: the module starts threads while it is imported, and they would keep theirs.")
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    # Root may do it at once; everybody else as the root of a namespace of users, where the kernel lets him.
    flags = CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise LocalfnError(
            f"network=False: this system does not let the sandbox leave the network ({reason}). Allow unprivileged "
            "user namespaces, run localfn as root with CAP_SYS_ADMIN, or take it off the function."
        )
    if flags & CLONE_NEWUSER:
        _stay(user, group)


def _stay(user: int, group: int) -> None:
    """Who we are, in the new namespace too: files look as they did."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
