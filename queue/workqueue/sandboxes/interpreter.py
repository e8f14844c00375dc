"""Start the interpreter of a sandbox, with a cleaned environment."""

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
from workqueue.sandboxes.exits.exit_status import describe_exit
from workqueue.sandboxes.network_namespace import without_network
from workqueue.sandboxes.process import Process, SandboxPipes, SandboxProcess
from workqueue.sandboxes.unix_user import UnixUser

ANSWER_S = 30.0
SECRET_NAME = re.compile(r"PASSW|PASSPHRASE|_PWD$|SECRET|TOKEN|KEY|CREDENTIAL|SESSION", re.IGNORECASE)
LOGIN = re.compile(r"://[^/@\s]*:[^/@\s]+@")
BOOT = "from localfn.runtime.sandbox_main import main; main({fds})"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The interpreter of the functions, and how to start it.

    python: the program. sdk: a folder that contains only the localfn package. environment: variables that user code may
    see. account: the account that sandboxes run as; None for the runtime's own.
    """

    python: str
    sdk: Path
    environment: Mapping[str, str]
    max_result_bytes: int
    account: UnixUser | None = None

    def start(self, load: dict[str, Any], environment: Mapping[str, str]) -> SandboxProcess:
        """Start a sandbox and send it the function to load. Raises OSError, ValueError.

        load: the head of a "load" or "describe" frame. environment: the function's own variables.
        """
        pipes, tag = SandboxPipes.make(self.account), uuid4().hex
        variables = self.variables(environment, tag)
        try:
            control, stdout, stderr, start_tokens = pipes.child_fds
            with without_network() if self.needs_network_namespace(load) else nullcontext(False) as is_offline:
                process = self.spawn(BOOT, [control, start_tokens], variables, [stdout, stderr])
        except (OSError, ValueError):
            pipes.close_parent_side()
            raise
        finally:
            pipes.close_child_side()
        secrets = {name: value for name, value in variables.items() if is_secret(name, value)}
        return self.initialize(tag, process, pipes, load | {"is_offline": is_offline, "environment": secrets})

    def find_problem(self) -> str:
        """Return why the interpreter cannot run sandboxes; an empty string when it can, or when it is only slow."""
        command = [self.python, "-c", prelude(self.sdk) + "import localfn.runtime.sandbox_main"]
        options: dict[str, Any] = {"cwd": "/", "capture_output": True, "text": True, "errors": "replace"}
        try:
            completed = subprocess.run(
                command, env=self.variables({}, ""), timeout=ANSWER_S, check=False, **options, **self._identity()
            )
        except subprocess.TimeoutExpired:
            return ""
        except OSError as error:
            return str(error)
        lines = completed.stderr.strip().splitlines() or [f"it {describe_exit(completed.returncode)}"]
        return lines[-1] if completed.returncode else ""

    def needs_network_namespace(self, load: dict[str, Any]) -> bool:
        """Return True if the runtime has to start this function without network: the sandbox cannot leave it."""
        return load.get("network") is False and self.account is not None and not self.account.can_unshare_network

    def initialize(self, tag: str, process: Process, pipes: SandboxPipes, load: dict[str, Any]) -> SandboxProcess:
        """Send a started sandbox the function to load, and return the sandbox."""
        sandbox = SandboxProcess(tag, process, pipes)
        with contextlib.suppress(OSError):  # it died at once: the worker that drives it detects that
            frames.write(pipes.control, load | {"max_result_bytes": self.max_result_bytes, "mark": sandbox.mark})
        return sandbox

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
        """Start the interpreter with code into which the numbers of `fds` are formatted. output: stdout, stderr.

        Secrets are omitted and follow in a frame: /proc shows the initial environment for the life of a process.
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
        """Return the ids to set before the program starts, so that no package installed for it runs as root."""
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}


def is_secret(name: str, value: str) -> bool:
    """Return True if a variable looks like a password, a key, or a URL with a password."""
    return SECRET_NAME.search(name) is not None or LOGIN.search(value) is not None


def search_path(sdk: Path) -> str:
    """Return the folder as an entry of PYTHONPATH; empty if it contains the separator, which has no escape."""
    return "" if os.pathsep in str(sdk) else str(sdk)


def prelude(sdk: Path) -> str:
    """Return code that adds the folder to sys.path if PYTHONPATH cannot name it."""
    return "" if search_path(sdk) else f"import sys; sys.path.insert(0, {str(sdk)!r}); "
