"""Forks sandboxes off an interpreter that has imported the SDK already: a cold start in a tenth of the time.

What is forked is like what is freshly started: the same modules, the same variables. Where it would not be (a function
sets variables that an interpreter reads when it starts), or where a fork cannot be adopted, an interpreter is started.
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
ANSWER_S = 5.0  # it only forks: one that takes so long is in trouble
START_S = 10.0  # less than a worker waits for its host (lending)
READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_")  # by the interpreter, the linker, the C library


class Zygote:
    """That of one sandbox host, whose process adopts orphans: what a zygote forks becomes the host's own child."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._reader = frames.Reader(0)
        self._stamps: dict[str, int] = {}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxProcess:
        """A sandbox that is told what to load, as `Interpreter.start` gives one. Raises OSError, ValueError."""
        is_read_at_start = any(name.startswith(READ_AT_START) for name in environment)
        if sys.platform != "linux" or is_read_at_start or self._interpreter.needs_network_namespace(load):
            return self._interpreter.start(load, environment)
        ends, tag = SandboxPipes.make(self._interpreter.account), uuid4().hex
        try:
            process = self._fork(self._interpreter.variables(environment, tag), ends)
        except (OSError, frames.FrameError) as error:
            log.warning("the zygote failed; an interpreter is started instead", extra={"error": str(error)})
            self.close()
            ends.close_parent_side()
            return self._interpreter.start(load, environment)
        finally:
            ends.close_child_side()
        return self._interpreter.initialize(tag, process, ends, load)

    def prepare(self) -> bool:
        """Start it, so that the first cold start finds it ready. Return False when it did not start."""
        try:
            if sys.platform == "linux":
                self._ready()
        except (OSError, ValueError, frames.FrameError):
            self.close()
            return False
        return True

    def close_inherited(self) -> None:
        """In a process forked from the host's."""
        if self._line is not None:
            self._line.close()

    def close(self) -> None:
        if self._process is not None and self._line is not None:
            self._line.close()
            self._process.kill()
            wait_for_exit(self._process, DEATH_S)
        self._process = self._line = None

    def _fork(self, variables: Mapping[str, str], ends: SandboxPipes) -> Process:
        line = self._ready()
        order = frames.encode({"type": "fork", "environment": dict(variables)})
        socket.send_fds(line, [order], ends.child_fds)
        return ForkedProcess(int(self._answer(line)["pid"]))

    def _ready(self) -> socket.socket:
        """The line to one that lives and knows of all packages that were installed since."""
        if self._line is not None and self._process is not None:
            if self._process.poll() is None and self._stamps == _stamps(self._stamps):
                return self._line
            self.close()
        ours, theirs = socket.socketpair()
        # Its own output goes nowhere, but into a pipe: what is forked has pipes, too, and Python asks once what it has.
        nowhere, output = os.pipe()
        os.close(nowhere)
        try:
            variables = self._interpreter.variables({}, uuid4().hex)
            self._process = self._interpreter.spawn(BOOT, [theirs.fileno()], variables, [output, output])
        finally:
            os.close(output)
            theirs.close()
        self._line, self._reader = ours, frames.Reader(0)
        ours.settimeout(START_S)
        self._stamps = _stamps(self._answer(ours)["folders"])
        ours.settimeout(ANSWER_S)
        return ours

    def _answer(self, line: socket.socket) -> dict[str, Any]:
        frame = frames.read(line, self._reader)
        if frame is None:
            raise OSError("it ended")
        return frame[0]


def _stamps(folders: Any) -> dict[str, int]:
    found = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            found[folder] = Path(folder).stat().st_mtime_ns
    return found
