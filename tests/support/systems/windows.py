"""Hide POSIX from localfn in this process, as on Windows: modules, system calls, signals and Unix sockets.

Third-party packages and the standard library keep POSIX, because their parts for Windows cannot run here.
"""

import builtins
import os
import select
import signal
import socket
import sys
import time
from types import ModuleType
from typing import Any, cast

PACKAGES = ("localfn", "localfn_runtime", "workqueue", "infra", "handlers", "schema", "seed")
POSIX_MODULES = frozenset({"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"})
MISSING: dict[ModuleType, frozenset[str]] = {
    os: frozenset(
        {
            "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "WNOHANG", "chown", "fork", "getegid", "geteuid",
            "getgid", "getloadavg", "getpgid", "getpriority", "getuid", "killpg", "mkfifo", "pread", "pwrite",
            "register_at_fork", "sched_getaffinity", "setgroups", "setpriority", "setsid", "statvfs", "sysconf",
            "uname", "waitid",
        }
    ),
    select: frozenset({"epoll", "kqueue", "poll"}),
    signal: frozenset(
        {
            "ITIMER_REAL", "ITIMER_PROF", "ITIMER_VIRTUAL", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPROF",
            "SIGQUIT", "SIGSTOP", "SIGUSR1", "SIGUSR2", "pthread_sigmask", "setitimer",
        }
    ),
    socket: frozenset({"AF_UNIX", "MSG_DONTWAIT", "recv_fds", "send_fds"}),
    sys: frozenset(),
    time: frozenset({"clock_gettime", "tzset", "CLOCK_BOOTTIME", "CLOCK_MONOTONIC"}),
}  # fmt: skip


class WindowsModule(ModuleType):
    """Stand for a module of the standard library, without its POSIX names."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__)
        vars(self)["_module"] = module

    def __getattr__(self, name: str) -> Any:
        module = vars(self)["_module"]
        if name in MISSING[module]:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module)
        return "win32" if module is sys and name == "platform" else getattr(module, name)


def hide_posix() -> None:
    """Hide POSIX from the modules of localfn that are imported from now on."""
    original = builtins.__import__
    windows = {module.__name__: WindowsModule(module) for module in MISSING}

    def import_for(name: str, variables: Any = None, *rest: Any, **named: Any) -> Any:
        if not variables or str(variables.get("__name__")).partition(".")[0] not in PACKAGES:
            return original(name, variables, *rest, **named)
        if name in POSIX_MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return windows.get(name) or original(name, variables, *rest, **named)

    builtins.__import__ = cast("Any", import_for)
