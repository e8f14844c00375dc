"""How a sandbox's interpreter is started, with which variables."""

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from localfn import frames
from workqueue import process_tree
from workqueue.child import Child, Ends, Process

BOOT = "from localfn.loop import main; main({fd})"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """python: the program; sdk: folder with only the localfn package in it; environment: what user code may see."""

    python: str
    sdk: Path
    environment: Mapping[str, str]
    max_result_bytes: int

    def start(self, load: dict[str, Any], environment: Mapping[str, str]) -> Child:
        """Starts an interpreter as a sandbox and tells it what to load. Raises OSError, ValueError.

        load: a "load" or "describe" head.
        """
        ends, tag = Ends.make(), uuid4().hex
        try:
            process = self.run(BOOT, ends.theirs.fileno(), self.variables(environment, tag), ends.their_fds[1:])
        except (OSError, ValueError):
            ends.close_ours()
            raise
        finally:
            ends.close_theirs()
        return self.child(tag, process, ends, load)

    def child(self, tag: str, process: Process, ends: Ends, load: dict[str, Any]) -> Child:
        """A sandbox that was started, told what to load."""
        with contextlib.suppress(OSError):  # it died at once: its driver will see that
            frames.write(ends.control, load | {"max_result_bytes": self.max_result_bytes})
        return Child(tag, process, ends)

    def variables(self, environment: Mapping[str, str], tag: str) -> dict[str, str]:
        """The whole environment of a sandbox with this tag. environment: the function's own."""
        paths = [str(self.sdk), *filter(None, [self.environment.get("PYTHONPATH")])]
        return {
            **self.environment,
            **environment,
            "PYTHONPATH": os.pathsep.join(paths),
            process_tree.TAG: tag,
            process_tree.OWNER: process_tree.owner(),
        }

    def run(self, code: str, fd: int, variables: Mapping[str, str], output: Sequence[int]) -> "subprocess.Popen[bytes]":
        """Starts the interpreter with a piece of code that gets the number of a descriptor. output: stdout, stderr."""
        return subprocess.Popen(
            [self.python, "-c", code.format(fd=fd)],
            stdin=subprocess.DEVNULL,
            stdout=output[0],
            stderr=output[1],
            pass_fds=[fd],
            env=variables,
            cwd="/",
            start_new_session=True,
        )
