"""Run embedded services."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.embedded.service import Service
from tests.support.waiting import wait_until

RunService = Callable[[Service], subprocess.Popen[bytes]]


@pytest.fixture
def home(short_tmp_path: Path) -> Path:
    (short_tmp_path / "run").mkdir()
    return short_tmp_path


@pytest.fixture
def run() -> Iterator[RunService]:
    running: list[subprocess.Popen[bytes]] = []

    def start(service: Service) -> subprocess.Popen[bytes]:
        service.prepare()
        process = subprocess.Popen(service.command(), start_new_session=True, stdout=sys.stderr)
        running.append(process)
        wait_until(service.is_ready, what=f"{service.name} ready")
        return process

    yield start
    for process in running:
        # SIGINT, because a PostgreSQL killed by SIGKILL leaks its shared memory.
        process.send_signal(signal.SIGINT)
        process.wait(10)
