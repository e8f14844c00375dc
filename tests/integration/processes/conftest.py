"""Make databases for `localfn init`.

`place` has an empty database, `initialized` the database of an earlier start.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.embedded.service import Service
from tests.conftest import Servers, fresh_database
from tests.integration.processes.init_environment import InitEnvironment

RunService = Callable[[Service], subprocess.Popen[bytes]]


@pytest.fixture
def place(empty_database_url: str, redis_url: str, tmp_path: Path) -> InitEnvironment:
    return InitEnvironment(empty_database_url, redis_url, tmp_path)


@pytest.fixture
def initialized(servers: Servers, discovered: str, redis_url: str, tmp_path: Path) -> Iterator[InitEnvironment]:
    """Yield a database as an earlier start left it, without its cost: migrated, seeded, functions known."""
    for database_url in fresh_database(servers, discovered):
        yield InitEnvironment(database_url, redis_url, tmp_path)
