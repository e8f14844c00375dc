"""A process that has imported the SDK and nothing else, and forks sandboxes: a cold start without an interpreter's.

Starts as `python -c 'from localfn.runtime.zygote import main; main(FD)'`. Tells the folders that packages are imported
from; then gets one frame per sandbox, {"type": "bear", "environment": {…}}, with four descriptors (control, stdout,
stderr, turns), and answers {"type": "born", "pid": …}. It ends when the socket closes. Linux only.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import site
import socket
import sys
import time
from typing import NoReturn

from localfn.runtime import confinement, frames, sandbox_main

MAX_ENVIRONMENT = 4 * 1024 * 1024  # bytes; the kernel's own limit for all variables is below it
FDS = 4


def main(fd: int) -> None:
    """Serves until the runtime hangs up. In a forked sandbox it does not return before that has ended."""
    sandbox_main.die_with_parent(signal.SIGKILL)
    if os.stat(f"/proc/{os.getppid()}").st_uid != os.geteuid():
        # What it forks is of its account, and could change it. (Where all are, it could change the runtime itself.)
        confinement.be_private(private=True)
    line = socket.socket(fileno=fd)
    reader = frames.Reader(MAX_ENVIRONMENT)
    frames.write(line, {"type": "ready", "folders": [*site.getsitepackages(), site.getusersitepackages()]})
    gc.collect()
    gc.freeze()  # what is loaded now stays shared with what is forked
    while (order := _next(line, reader)) is not None:
        environment, fds = order
        first = os.fork()
        if first == 0:
            _bear(line, environment, fds)
        for each in fds:
            os.close(each)
        os.waitpid(first, 0)


def _next(line: socket.socket, reader: frames.Reader) -> tuple[dict[str, str], list[int]] | None:
    fds: list[int] = []
    while (frame := reader.next()) is None:
        data, new, _, _ = socket.recv_fds(line, 262_144, FDS)
        if not data:
            return None
        fds += new
        reader.feed(data)
    return frame[0]["environment"], fds


def _bear(line: socket.socket, environment: dict[str, str], fds: list[int]) -> NoReturn:
    """In the first child: forks the sandbox and ends at once, so that the sandbox falls to the runtime as its child.

    The sandbox tells of itself when that has happened: nobody can wait for it before.
    """
    between = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0)
    frames.write(line, {"type": "born", "pid": os.getpid()})
    line.close()
    _become(environment, fds)
    sandbox_main.main([fds[0], fds[3]])
    sys.exit(0)


def _become(environment: dict[str, str], fds: list[int]) -> None:
    """Like a process that was just started with these variables and descriptors."""
    confinement.be_private(private=False)
    os.setsid()
    os.dup2(fds[1], 1)
    os.dup2(fds[2], 2)
    os.close(fds[1])
    os.close(fds[2])
    os.environ.clear()
    os.environ.update(environment)
    with contextlib.suppress(AttributeError):
        time.tzset()
    gc.unfreeze()
