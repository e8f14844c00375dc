"""Make databases for `localfn init`: an empty one, and one that an earlier start initialized."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Servers, fresh_database
from tests.integration.processes.init_environment import InitEnvironment


@pytest.fixture
def place(empty_database_url: str, redis_url: str, tmp_path: Path) -> InitEnvironment:
    return InitEnvironment(empty_database_url, redis_url, tmp_path)


@pytest.fixture
def initialized(servers: Servers, discovered: str, redis_url: str, tmp_path: Path) -> Iterator[InitEnvironment]:
    """Yield a database as an earlier start left it, without its cost: migrated, seeded, functions known."""
    for database_url in fresh_database(servers, discovered):
        yield InitEnvironment(database_url, redis_url, tmp_path)
