"""Run one worker alone: unexpected errors, and deadlines of requests behind others in a batch."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psutil
import psycopg
import pytest
import redis
from sqlalchemy import Engine, text

from schema.engine import make_engine
from tests.conftest import StartRuntime
from tests.integration.invocation.test_batches import batch, plain_events, statuses, wait_all_ended
from tests.integration.workers.running_requests import worker_of
from tests.support.processes import is_alive
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue.transport.doorbell import Bell, Doorbell

# PostgreSQL rejects each end of this function from a worker: results and failures.
REFUSAL = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
    CREATE TRIGGER refusal BEFORE UPDATE ON processing_request FOR EACH ROW
    WHEN (OLD.function = 'start_only_once' AND OLD.status = 'processing' AND NEW.status <> 'processing'
          AND NEW.error_type IS DISTINCT FROM 'WorkerLost')
    EXECUTE FUNCTION refuse()
"""
# The trigger blocks the commit of some results while the test holds a lock.
HOLD = """
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END $$;
    CREATE TRIGGER holding BEFORE UPDATE ON processing_request FOR EACH ROW
    WHEN (NEW.status = 'completed' AND NEW.event->>'held' IS NOT NULL) EXECUTE FUNCTION hold()
"""
AT_ONCE_S = 0.002  # The longest time between two requests that a sandbox has received together.


@pytest.fixture(scope="module")
def runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    settings = {
        "LOCALFN_WORKERS": "1",
        "LOCALFN_MIN_WORKERS": "5",
        "LOCALFN_CONCURRENCY": "1",
        "LOCALFN_LEASE_SECONDS": "15",
    }
    with start_runtime(settings=settings) as own:
        yield own


@pytest.fixture
def engine(runtime: Runtime) -> Iterator[Engine]:
    made = make_engine(runtime.database_url)
    yield made
    made.dispose()


def execute(runtime: Runtime, statement: LiteralString) -> None:
    with psycopg.connect(runtime.database_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(statement)


def worker(runtime: Runtime) -> str:
    (only,) = wait_until(lambda: runtime.get("/api/workers")["items"], what="there is a worker")
    name: str = only["name"]
    return name


def test_the_minimum_of_workers_is_ignored_with_a_warning(runtime: Runtime) -> None:
    assert worker(runtime)
    assert (runtime.home.parent / "log").read_text(errors="replace").count("LOCALFN_MIN_WORKERS is ignored") == 1


def test_a_worker_that_fails_to_finish_a_request_does_not_restart_it(runtime: Runtime, tmp_path: Path) -> None:
    execute(runtime, REFUSAL)
    ledger = tmp_path / "ledger"
    request = runtime.post("start_only_once", {"ledger": str(ledger), "seconds": 0})
    log = runtime.home.parent / "log"
    wait_until(lambda: "end not storable" in log.read_text(errors="replace"), what="its end is rejected")

    with redis.Redis.from_url(runtime.redis_url) as client:
        Doorbell(client).ring([Bell(UUID(request["id"]), 1, request["queue"], "start_only_once")])
    following = runtime.call("echo", "goes on")
    assert following["status"] == "completed"

    assert ledger.read_text().count("\n") == 1
    assert runtime.wait_ended(request["id"], 60)["error_type"] == "WorkerLost"
    assert ledger.read_text().count("\n") == 1
    execute(runtime, "DROP TRIGGER refusal ON processing_request")


def test_a_full_disk_for_the_directory_is_a_cleanup_failure(runtime: Runtime, tmp_path: Path) -> None:
    before, flag, ledger = worker(runtime), tmp_path / "flag", tmp_path / "ledger"
    request = runtime.post("hooked", {"do": "wait", "flag": str(flag), "ledger": str(ledger)})["id"]
    wait_until(lambda: runtime.get(f"/api/requests/{request}")["phase"] == "process", what="it runs")
    work = runtime.home / "work"
    work.rename(tmp_path / "work")
    work.touch()
    flag.touch()

    assert runtime.wait_ended(request)["status"] == "completed"
    (attempt,) = runtime.settled_attempts(request)
    assert attempt["phases"][-1]["outcome"] == "failed"
    assert "work" in attempt["phases"][-1]["error"]
    work.unlink()
    assert runtime.result("echo", "goes on") == "goes on"
    assert worker(runtime) == before


def test_a_sandbox_that_dies_while_an_event_is_checked_costs_no_attempt(runtime: Runtime, tmp_path: Path) -> None:
    """Kill a sandbox that has run an earlier request: nothing of the later one can have ended it."""
    flag = tmp_path / "flag"
    first = runtime.post("wait_by_schema", {"flag": str(flag)})["id"]
    wait_until(lambda: runtime.get(f"/api/requests/{first}")["phase"] == "process", what="it runs")
    second = runtime.post("wait_by_schema", {"flag": str(flag)})["id"]
    process = worker_of(runtime, first)
    (checker,) = (each for each in process.children() if any("schema_checker" in word for word in each.cmdline()))

    def find_sandbox() -> int | None:
        items = runtime.get("/api/sandboxes")["items"]
        return next((each["pid"] for each in items if each["function"] == "wait_by_schema"), None)

    sandbox = wait_until(find_sandbox, what="the worker has listed its sandbox")
    checker.suspend()
    try:
        flag.touch()
        assert runtime.wait_ended(first)["status"] == "completed"
        wait_until(lambda: runtime.get(f"/api/requests/{second}")["phase"] == "validate", what="its event is checked")
        os.kill(sandbox, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(sandbox), what="the worker has seen its end")
    finally:
        checker.resume()

    ended = runtime.wait_ended(second)
    assert (ended["status"], ended["attempt"]) == ("completed", 1), runtime.attempts(second)


def test_a_blocked_finish_delays_no_deadline(runtime: Runtime, engine: Engine, tmp_path: Path) -> None:
    """Requests before it in the sandbox wait for PostgreSQL, and a hanging one is still killed after its second."""
    execute(runtime, HOLD)

    def is_hanging(folder: Path) -> bool:
        folder.mkdir()
        folder.chmod(0o777)
        # Short requests first, so that the worker learns their duration.
        wait_all_ended(engine, batch(runtime, plain_events(), "be_short_or_hang"))
        held: list[dict[str, Any]] = [{"seconds": 0}, {"seconds": 0.015}, {"pids": str(folder)}]
        with engine.connect() as connection, connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(42)"))
            # An idle worker claims the first request alone, and then up to a quarter of the waiting ones.
            events = [*plain_events(1), *(event | {"n": 0, "held": True} for event in held), *plain_events(60)]
            ids = batch(runtime, events, "be_short_or_hang")
            try:
                pid = wait_until(lambda: hanging_batch_member(folder))
            except AssertionError:
                pid = None  # The worker claimed it without the earlier ones.
            wait_until(lambda: pid is None or not is_alive(pid), 30, "its deadline is watched")
        assert statuses(wait_all_ended(engine, ids)) == {"completed": 63, "failed": 1}
        return pid is not None

    assert any(is_hanging(tmp_path / str(n)) for n in range(10)), "one hangs behind others"


def hanging_batch_member(folder: Path) -> int | None:
    """Return the pid of a sandbox that started its next request without a wait and hangs."""
    found = (int(path.name) for path in folder.glob("[0-9]*") if float(path.read_text()) < AT_ONCE_S)
    return next(found, None)
