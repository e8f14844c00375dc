"""Fork sandboxes from a process that has imported only the SDK: a cold start without the start of an interpreter.

Starts as `python -c 'from localfn.runtime.zygote import main; main(FD)'`. Sends {"type": "ready"} with the folders of
installed packages. Then receives one frame per sandbox, {"type": "fork", "environment": {…}}, with four descriptors
(control, stdout, stderr, tokens), and sends {"type": "forked", "pid": …}. It ends when the socket closes. Linux only.
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
    """Serve until the runtime closes the socket. In a forked sandbox, run the sandbox and never return."""
    sandbox_main.die_with_parent(signal.SIGKILL)
    if os.stat(f"/proc/{os.getppid()}").st_uid != os.geteuid():
        # Sandboxes of this account could trace it. (If the runtime shares the account, they can trace the runtime.)
        confinement.set_private(private=True)
    connection = socket.socket(fileno=fd)
    reader = frames.Reader(MAX_ENVIRONMENT)
    frames.write(connection, {"type": "ready", "folders": [*site.getsitepackages(), site.getusersitepackages()]})
    gc.collect()
    gc.freeze()  # keep the memory pages shared with the sandboxes
    while (order := _receive_order(connection, reader)) is not None:
        environment, fds = order
        first = os.fork()
        if first == 0:
            _fork_sandbox(connection, environment, fds)
        for each in fds:
            os.close(each)
        os.waitpid(first, 0)


def _receive_order(connection: socket.socket, reader: frames.Reader) -> tuple[dict[str, str], list[int]] | None:
    fds: list[int] = []
    while (frame := reader.next()) is None:
        data, new, _, _ = socket.recv_fds(connection, 262_144, FDS)
        if not data:
            return None
        fds += new
        reader.feed(data)
    return frame[0]["environment"], fds


def _fork_sandbox(connection: socket.socket, environment: dict[str, str], fds: list[int]) -> NoReturn:
    """Fork the sandbox from the first child, which ends at once, so that the runtime adopts the sandbox.

    The sandbox sends its pid after the adoption: before it the runtime cannot wait for the process.
    """
    between = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0)
    frames.write(connection, {"type": "forked", "pid": os.getpid()})
    connection.close()
    _reset_process(environment, fds)
    sandbox_main.main([fds[0], fds[3]])
    sys.exit(0)


def _reset_process(environment: dict[str, str], fds: list[int]) -> None:
    """Make this process equal to a new one with these variables and descriptors."""
    confinement.set_private(private=False)
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
