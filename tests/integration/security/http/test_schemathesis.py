"""Run Schemathesis against a runtime of its own: no 5xx, no undocumented response, no bad input accepted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartRuntime
from tests.fuzz.attacking import CODE, attack, faults
from tests.support.runtime import Runtime

EXAMPLES = 12
LIMIT_S = 150  # Forty seconds on an idle machine.


@pytest.fixture
def target(start_runtime: StartRuntime, tmp_path: Path) -> Iterator[Runtime]:
    """Yield a runtime that the calls may pause, purge and fill with data."""
    (tmp_path / "echo.py").write_text(CODE)
    with start_runtime(settings={"LOCALFN_FUNCTIONS": str(tmp_path)}) as runtime:
        yield runtime


def test_no_generated_call_finds_a_fault(target: Runtime) -> None:
    done = attack(target.url, EXAMPLES, LIMIT_S)
    found = faults((target.home.parent / "log").read_text(errors="replace"))
    assert done.returncode == 0, done.stdout[-12_000:]
    assert found == []
