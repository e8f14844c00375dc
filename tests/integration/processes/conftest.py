"""Make databases for `localfn init`, and run embedded services.

`place` has an empty database, `initialized` the database of an earlier start.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.embedded.service import Service
from tests.conftest import Servers, fresh_database
from tests.integration.processes.init_environment import InitEnvironment
from tests.support.waiting import wait_until

RunService = Callable[[Service], subprocess.Popen[bytes]]


@pytest.fixture
def place(empty_database_url: str, redis_url: str, tmp_path: Path) -> InitEnvironment:
    return InitEnvironment(empty_database_url, redis_url, tmp_path)


@pytest.fixture
def initialized(servers: Servers, discovered: str, redis_url: str, tmp_path: Path) -> Iterator[InitEnvironment]:
    """Yield a database as an earlier start left it, without its cost: migrated, seeded, functions known."""
    for database_url in fresh_database(servers, discovered):
        yield InitEnvironment(database_url, redis_url, tmp_path)


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
