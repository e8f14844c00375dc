"""A whole stack for a benchmark: `localfn up` in a temporary folder, with functions that do next to nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import Connection

FUNCTIONS = """
import time

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
"""
STOP_LIMIT_S = 15


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack. ready_s: how long its start took; pid: of `up`."""

    url: str
    pid: int
    ready_s: float


@contextmanager
def folder() -> Iterator[Path]:
    """A place for one home and the functions, used by as many stacks as a benchmark starts."""
    with tempfile.TemporaryDirectory(prefix="lf-", ignore_cleanup_errors=True) as name:
        path = Path(name).resolve()
        (path / "functions").mkdir()
        (path / "functions" / "measured.py").write_text(FUNCTIONS)
        yield path


@contextmanager
def up(path: Path, settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start everything, wait for the ready line, and stop everything in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = {"LOCALFN_HOME": str(path / "home"), "LOCALFN_FUNCTIONS": str(path / "functions"), "PORT": str(port)}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "infra.cli", "up"],
        env=os.environ | names | dict(settings or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = any(line.startswith("localfn ready") for line in process.stdout)
        assert ready, "it did not start; `./dev up` says why"
        yield Stack(f"http://127.0.0.1:{port}", process.pid, time.monotonic() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_LIMIT_S)


def wait_until_idle(url: str) -> None:
    """Until nothing that was submitted is left to do."""
    connection = Connection(url)
    try:
        while any(live(connection, status) for status in ("pending", "processing")):
            time.sleep(0.05)
    finally:
        connection.close()


def live(connection: Connection, status: str) -> bool:
    _, answer = connection.request("GET", f"/api/requests?limit=1&status={status}")
    return bool(json.loads(answer)["items"])
