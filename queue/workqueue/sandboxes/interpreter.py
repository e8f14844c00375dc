"""How a sandbox's interpreter is started, with which variables."""

import contextlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from localfn.runtime import frames
from workqueue.sandboxes import process_tree
from workqueue.sandboxes.network_namespace import without_network
from workqueue.sandboxes.process import Process, SandboxPipes, SandboxProcess
from workqueue.sandboxes.user import UnixUser

ANSWER_S = 30.0
SECRET_NAME = re.compile(r"PASSW|PASSPHRASE|_PWD$|SECRET|TOKEN|KEY|CREDENTIAL|SESSION", re.IGNORECASE)
LOGIN = re.compile(r"://[^/@\s]*:[^/@\s]+@")
BOOT = "from localfn.runtime.sandbox_main import main; main({fds})"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """python: the program; sdk: folder with only the localfn package in it; environment: what user code may see.

    account: who runs it; None: whoever we are.
    """

    python: str
    sdk: Path
    environment: Mapping[str, str]
    max_result_bytes: int
    account: UnixUser | None = None

    def start(self, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxProcess:
        """Starts an interpreter as a sandbox and tells it what to load. Raises OSError, ValueError.

        load: a "load" or "describe" head.
        """
        ends, tag = SandboxPipes.make(self.account), uuid4().hex
        variables = self.variables(environment, tag)
        try:
            control, stdout, stderr, turns = ends.child_fds
            with without_network() if self.needs_network_namespace(load) else nullcontext(False) as is_offline:
                process = self.spawn(BOOT, [control, turns], variables, [stdout, stderr])
        except (OSError, ValueError):
            ends.close_parent_side()
            raise
        finally:
            ends.close_child_side()
        secrets = {name: value for name, value in variables.items() if is_secret(name, value)}
        return self.initialize(tag, process, ends, load | {"is_offline": is_offline, "environment": secrets})

    def find_problem(self) -> str:
        """Return why it cannot run sandboxes: the last line of its error; empty when it can, or is only slow."""
        command = [self.python, "-c", prelude(self.sdk) + "import localfn.runtime.sandbox_main"]
        options: dict[str, Any] = {"cwd": "/", "capture_output": True, "text": True, "errors": "replace"}
        try:
            done = subprocess.run(
                command, env=self.variables({}, ""), timeout=ANSWER_S, check=False, **options, **self._identity()
            )
        except subprocess.TimeoutExpired:
            return ""
        except OSError as error:
            return str(error)
        lines = done.stderr.strip().splitlines() or [f"it ends with {done.returncode}"]
        return lines[-1] if done.returncode else ""

    def needs_network_namespace(self, load: dict[str, Any]) -> bool:
        """Whether it is we who have to take the network from this function."""
        return load.get("network") is False and self.account is not None and not self.account.can_unshare_network

    def initialize(self, tag: str, process: Process, ends: SandboxPipes, load: dict[str, Any]) -> SandboxProcess:
        """A sandbox that was started, told what to load."""
        child = SandboxProcess(tag, process, ends)
        with contextlib.suppress(OSError):  # it died at once: its driver will see that
            frames.write(ends.control, load | {"max_result_bytes": self.max_result_bytes, "mark": child.mark})
        return child

    def variables(self, environment: Mapping[str, str], tag: str) -> dict[str, str]:
        """Return the whole environment of a sandbox with this tag. environment: the function's own."""
        paths = [search_path(self.sdk), self.environment.get("PYTHONPATH")]
        return {
            **self.environment,
            **environment,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            process_tree.TAG: tag,
            process_tree.OWNER: process_tree.owner_id(),
        }

    def spawn(
        self, code: str, fds: Sequence[int], variables: Mapping[str, str], output: Sequence[int]
    ) -> "subprocess.Popen[bytes]":
        """Start the interpreter with a piece of code that gets the numbers of descriptors. output: stdout, stderr.

        Without secrets: /proc shows for as long as it lives what a process was started with. They follow in a frame.
        """
        return subprocess.Popen(
            [self.python, "-c", prelude(self.sdk) + code.format(fds=list(fds))],
            stdin=subprocess.DEVNULL,
            stdout=output[0],
            stderr=output[1],
            pass_fds=fds,
            env={name: value for name, value in variables.items() if not is_secret(name, value)},
            cwd="/",
            start_new_session=True,
            **self._identity(),
        )

    def _identity(self) -> dict[str, Any]:
        """Taken on before the program is run, so that nothing of what is installed for it runs as root."""
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable looks like a password, a key, or an address with one in it."""
    return SECRET_NAME.search(name) is not None or LOGIN.search(value) is not None


def search_path(sdk: Path) -> str:
    """Return the folder as PYTHONPATH names it; empty where it cannot: it knows no escape for its separator."""
    return "" if os.pathsep in str(sdk) else str(sdk)


def prelude(sdk: Path) -> str:
    """Return code that puts the folder on the path of modules where PYTHONPATH cannot name it."""
    return "" if search_path(sdk) else f"import sys; sys.path.insert(0, {str(sdk)!r}); "
