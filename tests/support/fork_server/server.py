"""Fork processes of the runtime that need no imports: `python server.py DESCRIPTOR`, a socket of the client.

Each request is a line of JSON; a start comes with two descriptors, for stdout and stderr. A forked process differs from
a fresh one only in its command line and in /proc/PID/environ: it has its own session, environment, folder and streams,
and a parent whose end ends it. The server has no thread and no other descriptor that a fork could inherit.
"""

import importlib
import json
import os
import signal
import socket
import sys
from typing import Any

from localfn_runtime import main
from workqueue.sandboxes.prctl import die_with_parent

MODULES = (
    "infra.cli.main",
    "infra.processes.init",
    "infra.processes.web",
    "infra.processes.wsgi_protection",
    "handlers.app",
    "rq_dashboard.web",
    "infra.processes.worker",
    "infra.processes.scheduler",
)
CHUNK_BYTES = 1 << 16


def receive(connection: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return the next request and its descriptors; None when the client is gone."""
    line, fds, *_ = socket.recv_fds(connection, CHUNK_BYTES, 2)
    while line and not line.endswith(b"\n"):
        line += connection.recv(CHUNK_BYTES)
    return json.loads(line) if line else None, fds


def serve(connection: socket.socket) -> None:
    """Answer requests until the client is gone; return in each forked process, which then runs its command."""
    while True:
        request, outputs = receive(connection)
        if request is None:
            sys.exit()
        if not outputs:
            answer = poll(request["pid"])
        elif pid := os.fork():
            for output in outputs:
                os.close(output)
            answer = pid
        else:
            connection.close()
            become_process(request, outputs)
            return
        connection.sendall(json.dumps(answer).encode() + b"\n")


def poll(pid: int) -> int | None:
    """Return the exit code of a process as `subprocess` does; None while it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def become_process(request: dict[str, Any], outputs: list[int]) -> None:
    """Give a forked process what `subprocess.Popen` would give it."""
    os.setsid()
    die_with_parent(signal.SIGTERM)
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
        os.close(output)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[1:] = request["words"]


if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)
    serve(socket.socket(fileno=int(sys.argv[1])))
    main()
