"""Start processes of the runtime from a fork server, which spares each one half a second of imports.

One server for each process of pytest starts with the first request, and ends with the process that it serves.
"""

import atexit
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from infra.supervisor.control_socket import startup_environment

PAUSE_S = 0.005


class ForkServer:
    """Hold the connection to a server that runs until `close`."""

    def __init__(self) -> None:
        self._connection, server_end = socket.socketpair()
        self._lock = threading.Lock()
        self._startup_environment = startup_environment(os.environ)
        with server_end:
            self._server = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("server.py")), str(server_end.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[server_end.fileno()],
                # Ctrl-C must reach pytest only.
                start_new_session=True,
            )
        self._answers = self._connection.makefile("rb")

    def ask(self, request: Mapping[str, Any], *fds: int) -> Any:
        with self._lock:
            socket.send_fds(self._connection, [json.dumps(request).encode() + b"\n"], fds)
            answer = self._answers.readline()
        assert answer, "the fork server has ended; see its output above"
        return json.loads(answer)

    def suits(self, env: Mapping[str, str]) -> bool:
        """Return True if a fresh interpreter and its libraries would start as those of the server did."""
        return startup_environment(env) == self._startup_environment

    def close(self) -> None:
        """End the server and the processes that it started."""
        self._answers.close()
        self._connection.close()
        self._server.wait()


class ForkedProcess:
    """Control a forked process as a `subprocess.Popen`; it stays a zombie until its end has been read."""

    def __init__(self, server: ForkServer, words: Sequence[str], env: Mapping[str, str], log: int) -> None:
        self._server = server
        self.pid: int = server.ask({"words": words, "env": dict(env), "folder": str(Path.cwd())}, log)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.ask({"pid": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code. Raises subprocess.TimeoutExpired."""
        ends_at = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if ends_at is not None and time.monotonic() > ends_at:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(PAUSE_S)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


RuntimeProcess = subprocess.Popen[bytes] | ForkedProcess


@functools.cache
def fork_server() -> ForkServer:
    server = ForkServer()
    atexit.register(server.close)
    return server


def fork(words: Sequence[str], env: Mapping[str, str], log: IO[bytes]) -> ForkedProcess | None:
    """Start `localfn WORDS` with its output in the log; return None if the environment needs a fresh interpreter."""
    server = fork_server()
    return ForkedProcess(server, words, env, log.fileno()) if server.suits(env) else None
