"""Hold what survives on purpose, and describe the state of a sandbox."""

import contextvars
import ctypes
import decimal
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from localfn import Context

kept: list[Any] = []  # module-level state survives on purpose
told: contextvars.ContextVar[str] = contextvars.ContextVar("told", default="nothing")
libc = ctypes.CDLL(None)
LIMITS = [getattr(resource, f"RLIMIT_{name}") for name in ("AS", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")]


def look(context: Context) -> dict[str, Any]:
    """Return the state of the process, as JSON."""
    libc.getenv.restype = ctypes.c_char_p
    return {
        "threads": threading.active_count(),
        "timers": [signal.getitimer(timer) for timer in (0, 1, 2)],
        "descriptors": [[fd, os.fstat(fd).st_ino] for fd in range(100) if is_open(fd)],
        "blocking": [os.get_blocking(fd) for fd in range(3)],
        "handlers": [str(signal.getsignal(number)) for number in range(1, 32)],
        "mask": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        "folder": Path.cwd() == context.workdir,
        "umask": umask(),
        "dumpable": libc.prctl(3, 0, 0, 0, 0),
        "environment": [dict(os.environ), type(os.environ).__name__, str(libc.getenv(b"LEFT"))],
        "locale": locale.setlocale(locale.LC_ALL),
        "zone": time.tzname,
        "limits": [resource.getrlimit(kind) for kind in LIMITS],
        "hard limit": resource.getrlimit(resource.RLIMIT_CPU)[1],
        "nice": os.nice(0),
        "affinity": sorted(os.sched_getaffinity(0)),
        "path": list(sys.path),
        "streams": [str(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "buffering": [sys.stdout.line_buffering, sys.stderr.line_buffering],
        "hooks": [str(hook) for hook in (sys.excepthook, sys.unraisablehook, threading.excepthook)],
        "tracing": [str(sys.gettrace()), str(sys.getprofile())],
        "collector": [gc.isenabled(), gc.get_threshold()],
        "arguments": list(sys.argv),
        "importers": [len(sys.meta_path), len(sys.path_hooks)],
        "switches": [sys.dont_write_bytecode, sys.get_int_max_str_digits(), str(sys.get_asyncgen_hooks())],
        "recursion": sys.getrecursionlimit(),
        "stack": stack_size(),
        "timeout": socket.getdefaulttimeout(),
        "filters": [str(each) for each in warnings.filters],
        "logging": [len(logging.root.handlers), logging.root.level, len(context.logger.handlers)],
        "variable": told.get(),
        "precision": decimal.getcontext().prec,
        "sdk": "localfn.runtime.frames" in sys.modules,
        "cwd entries": [path.name for path in context.workdir.iterdir()],
    }


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def stack_size() -> int:
    found = threading.stack_size()
    threading.stack_size(found)
    return found


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
