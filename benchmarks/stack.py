"""Start a whole stack for a benchmark: `localfn up` in a temporary folder, with trivial functions."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import Connection

FUNCTIONS = """
import time
from pathlib import Path

from localfn import function


@function
def noop(event, context):
    return event


@function
def enlarge(event, context):
    return [0] * (3 * 1024 * 1024 - 10)


@function
def hold(event, context):
    time.sleep(event["seconds"])


@function(timeout_s=300)
def mark(event, context):
    Path(event["folder"], str(event["n"])).touch()
    time.sleep(event["seconds"])
"""
STOP_LIMIT_S = 15


@dataclass(frozen=True, slots=True)
class Stack:
    """Hold a running stack.

    ready_s: seconds of its start. pid: process of `localfn up`.
    """

    url: str
    pid: int
    ready_s: float


@contextmanager
def folder() -> Iterator[Path]:
    """Make a temporary folder for the home and the functions; the stacks of one benchmark share it."""
    with tempfile.TemporaryDirectory(prefix="lf-", ignore_cleanup_errors=True) as name:
        path = Path(name).resolve()
        (path / "functions").mkdir()
        (path / "functions" / "measured.py").write_text(FUNCTIONS)
        yield path


LOCALFN = (sys.executable, "-P", "-m", "localfn_runtime")


@contextmanager
def up(path: Path, settings: Mapping[str, str] | None = None, localfn: Sequence[str] = LOCALFN) -> Iterator[Stack]:
    """Start a stack, wait for its ready line, and stop it at the end of the block.

    localfn: the command of the version to start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = {"LOCALFN_HOME": str(path / "home"), "LOCALFN_FUNCTIONS": str(path / "functions"), "PORT": str(port)}
    started_at = time.monotonic()
    process = subprocess.Popen(
        [*localfn, "up"],
        env=os.environ | names | dict(settings or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = any(line.startswith("localfn ready") for line in process.stdout)
        assert ready, "the stack did not start; run `./dev up` to see the reason"
        yield Stack(f"http://127.0.0.1:{port}", process.pid, time.monotonic() - started_at)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_LIMIT_S)


def wait_until_idle(url: str) -> None:
    """Wait until no request is pending or processing."""
    connection = Connection(url)
    try:
        while any(live(connection, status) for status in ("pending", "processing")):
            time.sleep(0.05)
    finally:
        connection.close()


def live(connection: Connection, status: str) -> bool:
    _, answer = connection.request("GET", f"/api/requests?limit=1&status={status}")
    return bool(json.loads(answer)["items"])
