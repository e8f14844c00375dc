"""The side of `up`: start the preloaded process, and ask it for forks.

Web, worker and scheduler import the same packages. As forks of one process they share most of these 50 MB, and start
sooner. The preloaded process ends when all have started. Each fork becomes a child of `up`, which adopts orphans; so
this works on Linux only. A process that is started again later is an ordinary one.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from infra.supervisor.child import SupervisedProcess, spawn
from infra.supervisor.control_socket import startup_environment

MODULE = "localfn_runtime"
BOOT = f"import {MODULE}; from infra.preload.server import main; main()"
# The arguments are memory in which a fork writes its title: long enough for every command.
PADDING = "-" * 64
TIMEOUT_S = 20.0  # for the imports
MAX_MESSAGE_BYTES = 256 * 1024


@dataclass(slots=True)
class Fork:
    """A child that was not started by `subprocess`, with the attributes of its Popen."""

    pid: int
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None
    returncode: int | None = None


class Preloader:
    """Hold the connection to the preloaded process. Without one, `spawn` starts ordinary processes."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(TIMEOUT_S)
        self._is_open = True
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", BOOT, str(theirs.fileno()), PADDING],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=startup_environment(os.environ),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def spawn(self, command: Sequence[str], env: Mapping[str, str], fds: Sequence[int]) -> SupervisedProcess:
        """Start a command of localfn as `spawn` does. fds: at most the control socket."""
        if self._is_open:
            with contextlib.ExitStack() as opened:
                try:
                    return self._fork(command, env, fds, opened)
                except (OSError, ValueError):
                    # It has ended, or hangs. It must not fork later: the copy would take the settings of the process
                    # that is started now.
                    self._process.kill()
                    self.close()
        return spawn(command, env, fds)

    def close(self) -> None:
        """Let the preloaded process end."""
        self._is_open = False
        self._socket.close()
        self._process.returncode = 0  # the supervisor reaps it like any orphan

    def _fork(
        self, command: Sequence[str], env: Mapping[str, str], fds: Sequence[int], opened: contextlib.ExitStack
    ) -> Fork:
        """Ask for a fork. Raises OSError or ValueError without an answer."""
        (stdout, stdout_end), (stderr, stderr_end) = (_pipe(opened) for _ in range(2))
        message = json.dumps({"command": list(command), "env": dict(env)}).encode()
        socket.send_fds(self._socket, [message], [stdout_end, stderr_end, *fds])
        pid = int(self._socket.recv(MAX_MESSAGE_BYTES))
        _check_adopted(pid)
        reader, error_reader = (os.fdopen(os.dup(fd), "rb", buffering=0) for fd in (stdout, stderr))
        return Fork(pid, reader, error_reader)


def _check_adopted(pid: int) -> None:
    """Raise ChildProcessError, and kill the process, if the system has not made it a child of this one."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        os.kill(pid, signal.SIGKILL)
        raise


def _pipe(opened: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for fd in ends:
        opened.callback(os.close, fd)
    return ends


@contextlib.contextmanager
def preloader() -> Iterator[Preloader | None]:
    """Provide a preloader until the end of the block; None on systems where `up` adopts no orphans."""
    if sys.platform != "linux":
        yield None
        return
    made = Preloader()
    try:
        yield made
    finally:
        made.close()
