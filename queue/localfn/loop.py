"""The main loop of a sandbox: load one function, then run one request after another.

Starts as `python -c 'from localfn.loop import main; main(FD)'`, where FD is a socket to the runtime. Speaks in frames
(frames.py): gets "load", "run" and "cleanup"; answers "started", then "ready" or "refused", then "phase", "progress",
and "done" or "failed". It ends when the socket closes.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import fcntl
import gc
import json
import logging
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from localfn import frames, loading
from localfn.declaration import Function
from localfn.errors import LocalfnError
from localfn.running import Run, failure

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LOWEST_FD = 100  # out of the way of code that closes or reuses the low numbers
MIB = 1024 * 1024


class Channel:
    """The runtime's socket; only this process may speak on it, never a child that user code forked."""

    def __init__(self, fd: int, max_body: int) -> None:
        self.socket = socket.socket(fileno=fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LOWEST_FD))
        os.close(fd)
        self.reader = frames.Reader(max_body)
        self.owner = os.getpid()

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        if os.getpid() == self.owner:
            frames.write(self.socket, head, body)

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        return frames.read(self.socket, self.reader)


def main(fd: int) -> None:
    _prepare_process()
    channel = Channel(fd, max_body=1 << 31)
    frame = channel.receive()
    if frame is None:
        return
    channel.send({"type": "started"})  # what ends this process from here on is the user's code
    head, _ = frame
    if head["type"] == "describe":
        _describe(channel, head)
        return
    run = Run(_load(channel, head), channel.send, head["max_result_bytes"])
    _limit_memory(run.function.options["memory_mb"])
    files = loading.files_of(head["root"], head["module"])
    _flush()
    channel.send({"type": "ready", "has_checks": run.has_checks, "files": files})
    _serve(channel, run, head)


def _serve(channel: Channel, run: Run, loaded: dict[str, Any]) -> None:
    modules = len(sys.modules)
    while (frame := channel.receive()) is not None:
        head, body = frame
        event = json.loads(body)
        with _exit_at_once():
            answer, result = run.cleanup(head, event) if head["type"] == "cleanup" else run.invoke(head, event)
        os.chdir("/")
        if len(sys.modules) != modules:  # imported while running: a change of that file counts from now on
            modules = len(sys.modules)
            answer["code_files"] = loading.files_of(loaded["root"], loaded["module"])
        if _has_children():
            answer["has_children"] = True
        _flush()
        channel.send(answer, result)


def _load(channel: Channel, head: dict[str, Any]) -> Function:
    try:
        with _exit_at_once():
            function = loading.load(head["root"], head["module"], head["function"])
        function.describe()  # what cannot be described is refused before the first request
    except Exception as error:
        _refuse(channel, error)
    gc.collect()
    gc.freeze()  # what was imported stays for good: later collections need not walk it
    return function


def _describe(channel: Channel, head: dict[str, Any]) -> None:
    try:
        with _exit_at_once():
            functions = loading.describe(head["root"], head["module"])
    except Exception as error:
        _refuse(channel, error)
    files = loading.files_of(head["root"], head["module"])
    channel.send({"type": "described", "functions": functions, "files": files})


def _refuse(channel: Channel, error: Exception) -> NoReturn:
    with contextlib.suppress(OSError):
        _flush()
        # LocalfnError is raised by us about a declaration: our frames are no news to its reader.
        answer = failure(error, "import")
        answer["type"] = "refused"
        if isinstance(error, LocalfnError):
            answer["error_type"] = type(error).__name__
        channel.send(answer)
    os._exit(1)


@contextlib.contextmanager
def _exit_at_once() -> Any:
    """sys.exit() ends the sandbox now, even when user code left threads that would keep it alive."""
    try:
        yield
    except SystemExit as exit_:
        _flush()
        code = exit_.code
        os._exit(code & 0xFF if isinstance(code, int) else 0 if code is None else 1)


def _prepare_process() -> None:
    if sys.path and sys.path[0] == "":  # put there by `-c`: the current directory is no place to import from
        del sys.path[0]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    faulthandler.enable()  # a crash in C leaves its traceback in the request's log
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    if sys.platform == "linux":
        # The process that started us owns us: when it dies, so do we. And what our children start and
        # abandon comes back to us instead of to init, so that it is found and killed with us.
        die_with_parent(signal.SIGKILL)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: int) -> None:
    """Linux only: the kernel sends `number` when the parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def _limit_memory(memory_mb: int) -> None:
    """A backstop for allocations too quick for the runtime's own watch on resident memory.

    It counts address space that may never be used (thread stacks, arenas), hence the ample room above.
    """
    import resource

    limit = max(2 * memory_mb, memory_mb + 512) * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _has_children() -> bool:
    """Whether a request left processes behind: its own, or orphans that came to us as their subreaper."""
    if not hasattr(os, "waitid"):
        return True  # nobody can tell here: the runtime has to look
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # user code may have closed or replaced it
            stream.flush()
