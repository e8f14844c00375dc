"""Hide Linux from localfn: processes with this folder in PYTHONPATH take the branches for macOS.

Python imports this module at its start, in child processes and sandboxes too. Third-party packages keep Linux, because
their parts for macOS cannot run here. The facts about macOS come from its manual pages and its published kernel.
"""

import builtins
import errno
import os
import resource
import socket
import sys
import time
from types import ModuleType
from typing import Any, cast

PACKAGES = ("localfn", "localfn_runtime", "workqueue", "infra", "handlers", "schema", "seed")
MISSING = {
    os: (
        "copy_file_range", "eventfd", "fdatasync", "getresuid", "memfd_create", "pidfd_open", "pipe2",
        "posix_fallocate", "sched_getaffinity", "sched_getscheduler", "sched_setaffinity", "setns", "setresuid",
        "unshare", "waitid",
    ),
    socket: ("MSG_NOSIGNAL", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED", "TCP_DEFER_ACCEPT", "TCP_USER_TIMEOUT"),
    time: ("CLOCK_BOOTTIME",),
}  # fmt: skip
C_FUNCTIONS = frozenset({"capset", "mallopt", "prctl", "setfsgid", "setfsuid", "setns", "unshare"})
C_VARIABLES = frozenset({"stdout"})
FOLDERS = ("/proc", "/sys")
PATH_EVENTS = frozenset({"open", "os.listdir", "os.scandir"})
UNIX_SOCKET_BYTES = 4096  # Linux doubles it: 8 KiB, the default of macOS

import_module, stat, readlink = builtins.__import__, os.stat, os.readlink
socketpair, send, getrusage = socket.socketpair, socket.socket.send, resource.getrusage


class SystemModule(ModuleType):
    """Stand for `sys` in localfn's own modules, with another platform."""

    platform = "darwin"

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(sys, name, value)


def hide_linux() -> None:
    for module, names in MISSING.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    system = SystemModule("sys")

    def import_for(name: str, variables: Any = None, *rest: Any, **named: Any) -> Any:
        if name == "sys" and variables and str(variables.get("__name__")).partition(".")[0] in PACKAGES:
            return system
        return import_module(name, variables, *rest, **named)

    builtins.__import__ = cast("Any", import_for)
    sys.addaudithook(refuse_linux)
    os.stat, os.readlink = cast("Any", stat_elsewhere), cast("Any", readlink_elsewhere)
    socket.socketpair = small_socketpair
    socket.socket.send = cast("Any", blocking_send)  # type: ignore[method-assign]
    resource.getrusage = getrusage_in_bytes


def refuse_linux(event: str, arguments: tuple[Any, ...]) -> None:
    if event in PATH_EVENTS:
        refuse_path(arguments[0])
    elif event == "ctypes.dlsym" and C_FUNCTIONS.intersection(filter(is_text, arguments)):
        raise AttributeError("symbol not found")
    elif event == "ctypes.dlsym" and C_VARIABLES.intersection(filter(is_text, arguments)):
        raise ValueError("symbol not found")


def is_text(value: object) -> bool:
    return isinstance(value, str)


def refuse_path(path: object) -> None:
    """Raise FileNotFoundError for a path that macOS does not have, unless psutil asks."""
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else ""
    if isinstance(text, str) and text.startswith(FOLDERS) and not asks_psutil():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), text)


def asks_psutil() -> bool:
    frame = sys._getframe()
    while (above := frame.f_back) is not None:
        if str(above.f_globals.get("__name__")).startswith("psutil"):
            return True
        frame = above
    return False


def stat_elsewhere(path: Any, *rest: Any, **named: Any) -> os.stat_result:
    refuse_path(path)
    return stat(path, *rest, **named)


def readlink_elsewhere(path: Any, *rest: Any, **named: Any) -> Any:
    refuse_path(path)
    return readlink(path, *rest, **named)


def small_socketpair(*arguments: Any, **named: Any) -> tuple[socket.socket, socket.socket]:
    """Return sockets with the small buffers of macOS."""
    pair = socketpair(*arguments, **named)
    for end in pair:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNIX_SOCKET_BYTES)
    return pair


def blocking_send(self: socket.socket, data: Any, flags: int = 0) -> int:
    """Ignore MSG_DONTWAIT, as the kernel of macOS does in send(2): only O_NONBLOCK counts."""
    return send(self, data, flags & ~socket.MSG_DONTWAIT)


def getrusage_in_bytes(who: int) -> resource.struct_rusage:
    """Return ru_maxrss in bytes; Linux counts KiB."""
    usage = list(getrusage(who))
    usage[2] *= 1024
    return resource.struct_rusage(usage)


hide_linux()
