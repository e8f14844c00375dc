"""Requests that a worker claimed ahead do not wait for a long one: another worker, or another sandbox, runs them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from schema.engine import make_engine
from tests.conftest import StartRuntime
from tests.integration.invocation.test_batches import batch, statuses, wait_all_ended
from tests.support.runtime import Runtime

LONG_S = 60


@pytest.fixture(scope="module")
def two_workers(start_runtime: StartRuntime) -> Iterator[Runtime]:
    with start_runtime(settings={"LOCALFN_WORKERS": "2", "LOCALFN_CONCURRENCY": "2"}) as own:
        yield own


@pytest.fixture
def engine(two_workers: Runtime) -> Iterator[Engine]:
    made = make_engine(two_workers.database_url)
    yield made
    made.dispose()


@pytest.mark.parametrize("seconds", [0.0, 0.008], ids=["sent ahead", "kept for the next free slot"])
def test_requests_behind_a_long_one_run_in_another_worker(two_workers: Runtime, engine: Engine, seconds: float) -> None:
    short = [{"seconds": seconds}] * 100
    wait_all_ended(engine, batch(two_workers, short, "sleep"))  # the workers learn the duration

    long, *others = batch(two_workers, [{"seconds": LONG_S}, *short], "sleep")
    assert statuses(wait_all_ended(engine, others, LONG_S / 2)) == {"completed": len(others)}
    assert two_workers.get(f"/api/requests/{long}")["status"] == "processing"
    assert all(len(two_workers.attempts(id)) == 1 for id in others[:10])

    two_workers.http.post(f"/api/requests/{long}/cancel").raise_for_status()
    assert two_workers.wait_ended(long)["error_type"] == "Cancelled"
