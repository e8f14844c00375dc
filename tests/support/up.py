"""Run a whole `localfn up` in tests, with real services and children."""

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from infra.supervisor.pid_records import PidRecords
from tests.support.commands import COMMAND
from tests.support.processes import children_of, read_each
from tests.support.waiting import wait_until
from workqueue.sandboxes.prctl import die_with_parent

CHILDREN = ("postgres", "redis", "web", "worker", "scheduler")
FUNCTION = """
import os
import time
from localfn import function


@function()
def echo(event, context):
    return event


@function()
def variable(event, context):
    return os.environ.get(event)


@function(timeout_s=600)
def nap(event, context):
    time.sleep(event)
"""


class Up:
    """Control one `localfn up` with its own home, port and functions folder.

    options: of the command. command: the words before `up`. environ: settings; with LOCALFN_FUNCTIONS, no function is
    written.
    """

    def __init__(self, folder: Path, *options: str, command: Sequence[str] = COMMAND, **environ: str) -> None:
        self.home = Path(environ.get("LOCALFN_HOME", folder / "home"))
        self.port = int(environ.get("PORT", free_port()))
        functions = folder / "functions"
        if "LOCALFN_FUNCTIONS" not in environ:
            functions.mkdir(exist_ok=True)
            (functions / "echo.py").write_text(FUNCTION)
        ours = {
            "LOCALFN_HOME": str(self.home),
            "LOCALFN_FUNCTIONS": str(functions),
            "PORT": str(self.port),
            "LOCALFN_CONCURRENCY": "2",
        }
        self.process = subprocess.Popen(
            [*command, "up", *options],
            cwd=folder,
            env=without_runtime_settings() | ours | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # However the test run ends, by SIGKILL too, the processes end.
            preexec_fn=partial(die_with_parent, signal.SIGTERM),  # noqa: PLW1509 - it only makes a system call
        )

    @property
    def records(self) -> PidRecords:
        return PidRecords(self.home / "run")

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        line = f"localfn ready on http://127.0.0.1:{self.port}\n"
        if line not in iter(self.process.stdout.readline, ""):
            raise AssertionError(f"up ended: {self.process.communicate()[1]}")

    def ask(self, path: str, event: object = None, **headers: str) -> Any:
        """Send a GET, or a POST with an event; return the JSON of the response."""
        body = None if event is None else json.dumps(event).encode()
        answer = httpx.request(
            "GET" if event is None else "POST",
            f"http://127.0.0.1:{self.port}{path}",
            content=body,
            headers=headers,
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json()

    def submit(self, function: str, event: object, **headers: str) -> Any:
        """Submit an event; return the accepted request."""
        return self.ask(f"/api/functions/{function}", event, **{"Content-Type": "application/json"}, **headers)

    def pid(self, name: str) -> int:
        record = self.records.find(name)
        return record.pid if record else 0

    def has_another(self, name: str, killed: int) -> bool:
        return self.pid(name) not in (0, killed)

    def find_guard(self) -> psutil.Process:
        """Return the process that ends all others when `up` is killed."""

        def look() -> psutil.Process | None:
            commands = read_each(children_of(self.process.pid), lambda child: (child, " ".join(child.cmdline())))
            return next((child for child, command in commands if "infra.supervisor.orphan_guard" in command), None)

        return wait_until(look, what="the orphan guard runs")

    def descendants(self) -> list[psutil.Process]:
        return children_of(self.process.pid, recursive=True)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def end(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Stop it within the promised ten seconds; return its stderr."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=10)[1]

    def read_refusal(self, exit_code: int = 1) -> str:
        """Wait for a start that fails with the exit code; return its one line of stderr."""
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == exit_code, errors
        assert "Traceback" not in errors
        return errors.strip().splitlines()[-1]


def without_runtime_settings() -> dict[str, str]:
    ours = ("LOCALFN_", "POSTGRES_", "DATABASE_URL", "REDIS_URL", "RQ_", "HOST", "PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
