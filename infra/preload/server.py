"""The preloaded process: import the runtime, then fork for each command that `up` sends."""

import ctypes
import gc
import importlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import localfn_runtime
from infra.preload.preloader import MAX_MESSAGE_BYTES, MODULE
from infra.supervisor.control_socket import VARIABLE

# The processes, and what they import late.
PRELOADED = (
    "infra.processes.web",
    "infra.processes.worker",
    "infra.processes.scheduler",
    "infra.processes.wsgi_protection",
    "infra.cli.main",
    "infra.config.service_urls",
    "handlers.app",
    "sqlalchemy.dialects.postgresql.psycopg",
)
CONTROL_FD = 3
ARGUMENTS = slice(45, 47)  # start and end of the arguments' memory, of the fields of /proc/PID/stat after the name


def main() -> None:
    """Serve until `up` closes the connection. In a fork, run the command instead. Argument: the descriptor."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    gc.disable()
    for name in PRELOADED:
        importlib.import_module(name)
    gc.enable()
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the shared memory
    while True:
        message, fds, _, _ = socket.recv_fds(connection, MAX_MESSAGE_BYTES, 3)
        if not message:
            return
        pid = _fork_orphan()
        if pid is None:
            break
        connection.sendall(str(pid).encode())
        for fd in fds:
            os.close(fd)
    connection.detach()
    _run(json.loads(message), fds)


def _fork_orphan() -> int | None:
    """Fork a process whose parent ends at once, so that `up` adopts it. Return its pid; None in the fork."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        pid = os.fork()
        if pid == 0:
            return None
        os.write(writer, str(pid).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(parent, 0)
    with os.fdopen(reader) as answer:
        return int(answer.read())


def _run(message: dict[str, Any], fds: list[int]) -> None:
    """Become the process that `up` asked for, as if it had been started alone."""
    os.setsid()
    for target, fd in enumerate(fds, start=1):  # stdout, stderr, control socket
        os.dup2(fd, target, inheritable=target < CONTROL_FD)
    os.closerange(len(fds) + 1, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(message["env"])
    if len(fds) >= CONTROL_FD:
        os.environ[VARIABLE] = str(CONTROL_FD)
    command: list[str] = message["command"]
    _set_title(" ".join(command))
    arguments = command[command.index(MODULE) + 1 :]
    sys.argv = [MODULE, *arguments]
    localfn_runtime.main()


def _set_title(title: str) -> None:
    """Show the command in process lists. The kernel reads it from the memory of the original arguments."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(field) for field in fields[ARGUMENTS])
    size = end - start
    # A last byte that is not zero tells the kernel that this is a title.
    content = title.encode()[: size - 2].ljust(size - 1, b"\0") + b"."
    ctypes.memmove(start, content, size)
