"""Run many requests at the same time: each costs a sandbox, and no process, thread or connection of the runtime."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, text

from schema.engine import make_engine
from tests.conftest import StartRuntime
from tests.integration.invocation.test_batches import batch, statuses, wait_all_ended
from tests.support.processes import children_of
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

COUNT = 60
MARGIN_S = 60  # for 60 cold starts on a busy machine
LEASE_S = 300  # so that no lease expires in this module


@pytest.fixture(scope="module")
def runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    settings = {"LOCALFN_CONCURRENCY": str(COUNT), "LOCALFN_WORKERS": "1", "LOCALFN_LEASE_SECONDS": str(LEASE_S)}
    with start_runtime(settings=settings) as own:
        yield own


def worker_process(runtime: Runtime) -> psutil.Process:
    (only,) = wait_until(lambda: runtime.get("/api/workers")["items"], what="there is a worker")
    return psutil.Process(only["pid"])


@pytest.fixture
def engine(runtime: Runtime) -> Iterator[Engine]:
    made = make_engine(runtime.database_url, pool_size=1)
    yield made
    made.dispose()


def count_connections(engine: Engine) -> int:
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with engine.connect() as connection:
        count: int = connection.execute(text(statement)).scalar_one()
    return count


def test_each_further_request_costs_one_sandbox_and_nothing_else(
    runtime: Runtime, engine: Engine, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    assert runtime.result("echo", 1) == 1
    worker = worker_process(runtime)
    connections, threads = count_connections(engine), worker.num_threads()

    ids = batch(runtime, [{"flag": str(flag)}] * COUNT, "wait_for_flag")
    wait_until(
        lambda: all(runtime.get(f"/api/requests/{id}")["phase"] == "process" for id in ids), MARGIN_S, "all run at once"
    )
    assert worker_process(runtime) == worker
    assert len([child for child in children_of(worker.pid) if child.is_running()]) >= COUNT
    assert count_connections(engine) <= connections + 1, "web may have opened one for the batch"
    assert worker.num_threads() <= threads + 4, "the few threads for what blocks start when they are needed"
    flag.touch()

    assert statuses(wait_all_ended(engine, ids)) == {"completed": COUNT}


def test_the_requests_of_a_killed_worker_run_again_long_before_their_leases_end(
    runtime: Runtime, engine: Engine, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    worker = worker_process(runtime)
    ids = batch(runtime, [{"flag": str(flag)}] * COUNT, "wait_for_flag")
    wait_until(
        lambda: all(runtime.get(f"/api/requests/{id}")["phase"] == "process" for id in ids), MARGIN_S, "all run at once"
    )
    worker.kill()
    flag.touch()

    rows = wait_all_ended(engine, ids, MARGIN_S)
    assert statuses(rows) == {"completed": COUNT}
    assert {(row["attempt"], row["losses"]) for row in rows} == {(2, 1)}
