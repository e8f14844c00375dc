"""A claim that its worker has not taken over is neither lost nor counted as a loss."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine

from schema.async_database import AsyncDatabase
from tests.conftest import StartRuntime
from tests.integration.lifecycle.steps import LEASE_S, accept_request
from tests.integration.workers.running_requests import MARGIN_S
from tests.support.runtime import Runtime
from tests.support.waiting import run, wait_until
from workqueue.clock import Clock
from workqueue.functions.registry import CHANNEL
from workqueue.lifecycle import Claim
from workqueue.workers.leases import Claimer

DUE_S = 2  # until a request is due: the test takes its lock before


@pytest.fixture(scope="module")
def own_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    with start_runtime(settings={"LOCALFN_WORKERS": "1", "LOCALFN_LEASE_SECONDS": "300"}) as own:
        yield own


def ids_of(claims: list[Claim]) -> list[UUID]:
    return [claim.request_id for claim in claims]


def test_claims_that_were_not_taken_over_are_returned_again(engine: Engine) -> None:
    first, second = accept_request(engine), accept_request(engine)
    held: list[UUID] = []

    async def check() -> None:
        database = AsyncDatabase(engine.url.render_as_string(hide_password=False))
        claimer = Claimer(database, Clock(), "w", LEASE_S, lambda: held)
        try:
            assert ids_of(await claimer.claim([first])) == [first]
            assert ids_of(await claimer.claim([second])) == [first, second]
            held.extend([first, second])
            claimer.settle()
            assert await claimer.resume() == []
            assert await claimer.claim([first, second]) == [], "the worker holds them"
        finally:
            await database.close()

    run(check())


@contextmanager
def functions_locked(runtime: Runtime) -> Iterator[psycopg.Connection]:
    """Let reads of the functions wait, and make each worker read them with its next claim."""
    address = runtime.database_url.replace("+psycopg", "", 1)
    with psycopg.connect(address) as lock, psycopg.connect(address, autocommit=True) as other:
        lock.execute("LOCK TABLE function_pool IN ACCESS EXCLUSIVE MODE")
        other.execute(f"NOTIFY {CHANNEL}".encode())
        yield other


def state_of(connection: psycopg.Connection, request_id: str) -> tuple[str, int, int]:
    statement = "SELECT status, attempt, losses FROM processing_request WHERE id = %s"
    row: tuple[str, int, int] | None = connection.execute(statement, [request_id]).fetchone()
    assert row is not None
    return row


def test_a_stop_between_a_claim_and_its_start_costs_no_attempt(own_runtime: Runtime, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    event = {"ledger": str(ledger), "seconds": 0}
    request_id = own_runtime.post("sleep_and_note", event, params={"delay_s": DUE_S})["id"]
    with functions_locked(own_runtime) as connection:
        wait_until(lambda: state_of(connection, request_id)[0] == "processing", MARGIN_S, "it is claimed")
        own_runtime.processes["worker"].send_signal(signal.SIGTERM)
        wait_until(lambda: state_of(connection, request_id)[:2] == ("pending", 0), MARGIN_S, "it is released")
        assert not ledger.exists()
    assert own_runtime.processes.pop("worker").wait(MARGIN_S) == 0
    own_runtime.start("worker")

    assert own_runtime.wait_ended(request_id)["status"] == "completed"
    assert ledger.read_text().count("\n") == 1
    with psycopg.connect(own_runtime.database_url.replace("+psycopg", "", 1)) as connection:
        assert state_of(connection, request_id) == ("completed", 1, 0)
