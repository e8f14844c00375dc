"""Schemathesis against a runtime of its own: no 5xx, no answer that is not told of, nothing wrongly accepted."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Servers, fresh_database
from tests.fuzz.attacking import CODE, attack, faults
from tests.runtime import Runtime, running

EXAMPLES = 12
LIMIT_S = 150  # forty seconds on a machine that does nothing else


@pytest.fixture
def target(servers: Servers, migrated: str) -> Iterator[Runtime]:
    """It will be paused, emptied and filled with whatever fits."""
    with (
        tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp") as folder,
        tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp") as code,
        contextlib.contextmanager(fresh_database)(servers, migrated) as url,
    ):
        (Path(code) / "echo.py").write_text(CODE)
        settings = {"LOCALFN_FUNCTIONS": code}
        with running(url, servers.redis_url + "?db=4", Path(folder).resolve(), settings=settings) as runtime:
            yield runtime


def test_no_call_of_any_shape_finds_a_fault(target: Runtime) -> None:
    done = attack(target.url, EXAMPLES, LIMIT_S)
    found = faults((target.home.parent / "log").read_text(errors="replace"))
    assert done.returncode == 0, done.stdout[-12_000:]
    assert found == []
