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
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from infra.supervisor.control_socket import startup_environment
from workqueue.sandboxes.prctl import die_with_parent

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

    def __init__(
        self, server: ForkServer, words: Sequence[str], env: Mapping[str, str], stdout: IO[Any], stderr: IO[Any]
    ) -> None:
        self._server = server
        request = {"words": words, "env": dict(env), "folder": str(Path.cwd())}
        self.pid: int = server.ask(request, stdout.fileno(), stderr.fileno())
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


def start(words: Sequence[str], env: Mapping[str, str], stdout: IO[Any], stderr: IO[Any]) -> RuntimeProcess:
    """Start `localfn WORDS`: a fork, unless the environment has settings of the interpreter."""
    server = fork_server()
    if server.suits(env):
        return ForkedProcess(server, words, env, stdout, stderr)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "localfn_runtime", *words],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        # The process ends with the test run, even after SIGKILL.
        preexec_fn=partial(die_with_parent, signal.SIGTERM),  # noqa: PLW1509 - the child only makes a system call
    )


class Command:
    """Run `localfn WORDS`, and keep what it prints."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str]) -> None:
        # `communicate` closes them.
        self._outputs = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2)]  # noqa: SIM115
        self.process = start(words, env, *self._outputs)

    def communicate(self, timeout: float | None = None) -> tuple[int, str, str]:
        """Wait for the end; return exit code, stdout and stderr."""
        code = self.process.wait(timeout)
        out, err = (self._read(output) for output in self._outputs)
        return code, out, err

    def _read(self, output: IO[str]) -> str:
        with output:
            output.seek(0)
            return output.read()
