"""List the process settings that a request may change and the sandbox can restore: how to read and write each.

The sandbox reads all of them after each request, in some ten microseconds.
"""

from __future__ import annotations

import ctypes
import locale
import logging
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from localfn.process_state import interpreter_settings
from localfn.runtime.confinement import PR_SET_DUMPABLE

OUTPUT_FDS = (0, 1, 2)
STREAM_MODES = ("closed", "encoding", "errors", "line_buffering", "write_through")
RECONFIGURED = STREAM_MODES[1:]
LIMITS = sorted(
    {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")} - {resource.RLIMIT_CPU}
)

PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
PR_GET_DUMPABLE = 3


class Setting(NamedTuple):
    """Hold how to read and write one setting.

    write: raises an exception if the value cannot be restored.
    belongs_to_modules: a module may set it during its import, and rely on it from then on.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    belongs_to_modules: bool = True


def settings_of_process(logger: str) -> list[Setting]:
    """Return the settings in the order of their restoration.

    logger: name of the function's logger.
    """
    environment = Environment()
    return [
        Setting("sys.stdin, sys.stdout or sys.stderr", _streams, _set_streams),
        *(Setting(f"the mode of {stream.name}", *_mode_of(stream)) for stream in _streams()[1:] if stream is not None),
        Setting("the blocking mode of stdin, stdout or stderr", _blocking, _set_blocking),
        Setting("a hook of sys or threading", interpreter_settings.hooks, interpreter_settings.set_hooks),
        Setting("a trace or profile function", interpreter_settings.tracing, interpreter_settings.set_tracing),
        Setting("the environment", environment.read, environment.write),
        Setting("the time zone", partial(attrgetter("tzname", "timezone"), time), lambda _: time.tzset()),
        Setting("sys.path", lambda: (sys.path, list(sys.path)), interpreter_settings.set_path),
        Setting("sys.argv", lambda: (sys.argv, list(sys.argv)), interpreter_settings.set_arguments),
        Setting("a switch of the interpreter", interpreter_settings.switches, interpreter_settings.set_switches),
        Setting("the root directory", _root, lambda _: None),  # cannot be restored
        Setting("the umask", _umask, os.umask),
        Setting("whether other processes may look into this one (PR_SET_DUMPABLE)", _is_dumpable, _set_dumpable),
        Setting("the locale", partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL)),
        Setting("a resource limit", _limits, _set_limits),
        Setting("the niceness or scheduling policy", _priority, _set_priority),
        Setting("a logger's handlers or level", *_loggers(logger)),
        Setting("the garbage collector", interpreter_settings.collector, interpreter_settings.set_collector),
        Setting("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
        Setting("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
        Setting("the size of thread stacks", _stack_size, threading.stack_size),
        Setting("the default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
        # Libraries add importers and filters when they are imported.
        Setting(
            "an import hook",
            interpreter_settings.importers,
            interpreter_settings.set_importers,
            belongs_to_modules=False,
        ),
        Setting(
            "warning filters", interpreter_settings.filters, interpreter_settings.set_filters, belongs_to_modules=False
        ),
    ]


class Environment:
    """Read and restore the variables that C code reads: os.putenv() and C libraries bypass os.environ."""

    def __init__(self) -> None:
        self._mapping, self._content = os.environ, dict(os.environ)
        try:
            self._array = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
        except ValueError:  # macOS: compare os.environ only
            self._array = ctypes.c_void_p()
        self._pointers: bytes | None = None
        self._variables: dict[str, str] = {}

    def read(self) -> tuple[int, dict[str, str]]:
        """Return the identity of os.environ and all variables; read these again only if a pointer in C has changed."""
        address = self._array.value
        if address is None:
            self._variables, self._pointers = dict(self._mapping), None
        elif self._pointers is None or ctypes.string_at(address, len(self._pointers)) != self._pointers:
            self._read_array(address)
        return id(os.environ), self._variables

    def write(self, value: tuple[int, dict[str, str]]) -> None:
        """Restore os.environ, the object and its content, and the variables that only C code reads."""
        os.environ = self._mapping  # noqa: B003 - restores the original object
        for name in self.read()[1]:
            os.unsetenv(name)
        os.environ.clear()
        os.environ.update(self._content)
        for name in value[1].keys() - self._content.keys():
            os.putenv(name, value[1][name])

    def _read_array(self, address: int) -> None:
        entries: list[bytes] = []
        width = ctypes.sizeof(ctypes.c_void_p)
        while pointer := ctypes.c_void_p.from_address(address + len(entries) * width).value:
            entries.append(ctypes.string_at(pointer))
        self._variables = {name: value for name, _, value in (os.fsdecode(entry).partition("=") for entry in entries)}
        self._pointers = ctypes.string_at(address, (len(entries) + 1) * width)


def _streams() -> tuple[Any, Any, Any]:
    return sys.stdin, sys.stdout, sys.stderr


def _set_streams(value: tuple[Any, Any, Any]) -> None:
    sys.stdin, sys.stdout, sys.stderr = value


def _mode_of(stream: Any) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    def write(value: tuple[Any, ...]) -> None:
        stream.reconfigure(**dict(zip(RECONFIGURED, value[1:])))

    return partial(attrgetter(*STREAM_MODES), stream), write


def _blocking() -> tuple[bool, ...]:
    return tuple(map(os.get_blocking, OUTPUT_FDS))


def _set_blocking(value: tuple[bool, ...]) -> None:
    for fd, is_blocking in zip(OUTPUT_FDS, value):
        os.set_blocking(fd, is_blocking)


def _root() -> tuple[int, int]:
    root = os.stat("/")
    return root.st_dev, root.st_ino


def _umask() -> int:
    """Return the umask. It can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _is_dumpable() -> int:
    return int(PRCTL(PR_GET_DUMPABLE, 0, 0, 0, 0)) if PRCTL is not None else 0


def _set_dumpable(value: int) -> None:
    if PRCTL is not None:
        PRCTL(PR_SET_DUMPABLE, value, 0, 0, 0)


def _stack_size() -> int:
    """Return the stack size. Reading sets the default, so a size is set again."""
    size = threading.stack_size()
    if size:
        threading.stack_size(size)
    return size


def _limits() -> tuple[tuple[int, int], ...]:
    """Return all limits; of processor time only the hard limit, as the soft one changes with each request."""
    return (*map(resource.getrlimit, LIMITS), (0, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _set_limits(value: tuple[tuple[int, int], ...]) -> None:
    for kind, limit in zip(LIMITS, value):
        if resource.getrlimit(kind) != limit:
            resource.setrlimit(kind, limit)


def _priority() -> tuple[int, int]:
    scheduler = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else 0
    return os.getpriority(os.PRIO_PROCESS, 0), scheduler


def _set_priority(value: tuple[int, int]) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, value[0])


def _loggers(name: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    root, own = logging.getLogger(), logging.getLogger(name)
    switches = attrgetter("level", "propagate", "disabled")

    def read() -> tuple[Any, ...]:
        lists = root.handlers.copy(), root.filters.copy(), own.handlers.copy(), own.filters.copy()
        return root.manager.disable, *lists, switches(root), switches(own)

    def write(value: tuple[Any, ...]) -> None:
        disabled, *lists, root_switches, own_switches = value
        logging.disable(disabled)
        root.handlers[:], root.filters[:], own.handlers[:], own.filters[:] = lists
        for each, (level, propagate, is_disabled) in ((root, root_switches), (own, own_switches)):
            each.propagate, each.disabled = propagate, is_disabled
            each.setLevel(level)

    return read, write
