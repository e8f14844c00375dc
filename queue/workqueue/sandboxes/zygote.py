"""Fork sandboxes from an interpreter that has already imported the SDK: a cold start in a tenth of the time.

A forked sandbox has the modules and variables of a fresh interpreter. A fresh one is started where that would not hold
(the function sets variables that Python reads at its start), or where the worker cannot adopt a fork.
"""

import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from localfn.runtime import frames
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.process import DEATH_S, ForkedProcess, Process, SandboxPipes, SandboxProcess, wait_for_exit

log = logging.getLogger(__name__)

BOOT = "from localfn.runtime.zygote import main; main(*{fds})"
ANSWER_S = 5.0  # a fork takes milliseconds: after this time the zygote counts as failed
START_S = 10.0
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_")  # by the interpreter, the linker, the C library


class Zygote:
    """The zygote of one worker. The worker's process adopts orphans, so each fork becomes its own child.

    Not thread-safe: one thread starts all sandboxes, and lives as long as they do (prctl(2), PR_SET_PDEATHSIG).
    """

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._reader = frames.Reader(0)
        self._mtimes: dict[str, int] = {}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxProcess:
        """Start a sandbox as `Interpreter.start` does. Raises OSError, ValueError."""
        is_read_at_start = any(name.startswith(READ_AT_START) for name in environment)
        if sys.platform != "linux" or is_read_at_start or self._interpreter.needs_network_namespace(load):
            return self._interpreter.start(load, environment)
        pipes, tag = SandboxPipes.make(self._interpreter.account), uuid4().hex
        try:
            process = self._fork(self._interpreter.variables(environment, tag), pipes)
        except (OSError, frames.FrameError) as error:
            log.warning("zygote failed; interpreter started instead", extra={"error": str(error)})
            self.close()
            pipes.close_parent_side()
            return self._interpreter.start(load, environment)
        finally:
            pipes.close_child_side()
        return self._interpreter.initialize(tag, process, pipes, load)

    def prepare(self) -> bool:
        """Start the zygote before the first cold start. Return False when it did not start."""
        try:
            if sys.platform == "linux":
                self._ensure_running()
        except (OSError, ValueError, frames.FrameError):
            self.close()
            return False
        return True

    def find_problem(self) -> str:
        """Start the zygote. Return why the interpreter does not run; empty if it does."""
        return "" if self.prepare() else self._interpreter.find_problem()

    def close(self) -> None:
        if self._process is not None and self._socket is not None:
            self._socket.close()
            self._process.kill()
            wait_for_exit(self._process, DEATH_S)
        self._process = self._socket = None

    def _fork(self, variables: Mapping[str, str], pipes: SandboxPipes) -> Process:
        zygote = self._ensure_running()
        order = frames.encode({"type": "fork", "environment": dict(variables)})
        socket.send_fds(zygote, [order], pipes.child_fds)
        return ForkedProcess(int(self._read_answer(zygote)["pid"]))

    def _ensure_running(self) -> socket.socket:
        """Return the socket of a zygote that runs, and that has seen the installed packages as they are now."""
        if self._socket is not None and self._process is not None:
            if self._process.poll() is None and self._mtimes == _mtimes(self._mtimes):
                return self._socket
            self.close()
        parent, child = socket.socketpair()
        # Give the zygote pipes, and discard its output: Python caches the stream type at start, and forks inherit it.
        discarded, output = os.pipe()
        os.close(discarded)
        try:
            variables = self._interpreter.variables({}, uuid4().hex)
            self._process = self._interpreter.spawn(BOOT, [child.fileno()], variables, [output, output])
        finally:
            os.close(output)
            child.close()
        self._socket, self._reader = parent, frames.Reader(0)
        parent.settimeout(START_S)
        self._mtimes = _mtimes(self._read_answer(parent)["folders"])
        parent.settimeout(ANSWER_S)
        return parent

    def _read_answer(self, zygote: socket.socket) -> dict[str, Any]:
        frame = frames.read(zygote, self._reader)
        if frame is None:
            raise OSError("the zygote ended")
        return frame[0]


def _mtimes(folders: Any) -> dict[str, int]:
    found = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            found[folder] = Path(folder).stat().st_mtime_ns
    return found
