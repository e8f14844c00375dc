"""Keep the order of output to stdout and stderr: two pipes have no order between them.

Marks go into both pipes before Python prints to the other stream, and before it prints after a pause, in which a
child process or a C library may have written. Their output has no marks: the runtime keeps the order of its arrival
between two marks.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import io
import os
import sys
import time
from typing import Any

LOWEST_FD = 100  # user code closes and reuses low numbers
PAUSE_S = 0.001
STDOUT, STDERR, END = b"1", b"2", b"e"  # kinds of marks: the stream that prints next; the end of a request's output
KINDS = {1: STDOUT, 2: STDERR}
LINE_BUFFERED = 1  # _IOLBF
C_BUFFER_BYTES = 8192
C_STDOUT = ("stdout", "__stdoutp")  # the C variable: on Linux, on macOS

posix_write, fflush = os.write, ctypes.CDLL(None).fflush


class OrderMarks:
    """Write marks into both pipes.

    mark: random prefix of each mark, so that user code cannot forge one. There is no lock: a thread or a signal
    handler in between changes the order of marks in a pipe, not their number.
    """

    def __init__(self) -> None:
        self.mark = b""
        self._owner = os.getpid()
        self._fds = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, LOWEST_FD) for fd in KINDS]
        self._last = b""
        self._printed_at = 0.0

    def before(self, kind: bytes) -> None:
        """Mark both pipes before Python prints to this stream."""
        now = time.monotonic()
        if kind != self._last or now - self._printed_at > PAUSE_S:
            self._last = kind
            self._write(kind)
        self._printed_at = now

    def end(self) -> None:
        """Mark the end of this request's output."""
        self._last = b""
        self._write(END)

    def _write(self, kind: bytes) -> None:
        if not self.mark or os.getpid() != self._owner:  # a forked child shares the pipes
            return
        for fd in self._fds:
            with contextlib.suppress(OSError):  # closed by user code: nothing is read from it
                _write_whole(fd, self.mark + kind)


def _write_whole(fd: int, data: bytes) -> None:
    try:
        posix_write(fd, data)
    except BlockingIOError:  # user code made the pipe non-blocking and filled it
        os.set_blocking(fd, True)
        posix_write(fd, data)


class MarkedFile(io.FileIO):
    """Write to stdout or stderr with marks: the raw file below sys.stdout and sys.stderr."""

    def __init__(self, fd: int, name: str, marks: OrderMarks) -> None:
        super().__init__(fd, "wb", closefd=False)
        self.name = name
        self._marks, self._kind = marks, KINDS[fd]

    def write(self, data: Any) -> int:
        """Write the data, after a mark if one is needed."""
        self._marks.before(self._kind)
        return super().write(data)


def mark_output(marks: OrderMarks) -> None:
    """Mark output of sys.stdout, sys.stderr and os.write(), and make C output line-buffered."""
    for fd, name in ((1, "stdout"), (2, "stderr")):
        buffer = io.BufferedWriter(MarkedFile(fd, f"<{name}>", marks))
        before = getattr(sys, name)
        stream = io.TextIOWrapper(buffer, before.encoding, "backslashreplace", line_buffering=True)
        stream.mode = "w"  # type: ignore[misc]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)

    def write(fd: int, data: Any, /) -> int:
        if fd in KINDS:
            marks.before(KINDS[fd])
        return posix_write(fd, data)

    write.__module__, write.__qualname__, write.__doc__ = "os", "write", posix_write.__doc__
    os.write = write
    libc = ctypes.CDLL(None)
    for name in C_STDOUT:
        with contextlib.suppress(ValueError):  # no such name in this C library
            libc.setvbuf(ctypes.c_void_p.in_dll(libc, name), None, LINE_BUFFERED, C_BUFFER_BYTES)


def flush() -> None:
    """Flush the output buffers of Python and of C."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # user code may have closed or replaced it
            stream.flush()
    fflush(None)
