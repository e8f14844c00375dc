"""Stop PostgreSQL and restart it: accepted requests and computed results are kept, new requests are rejected."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.embedded.postgres import Postgres
from tests.conftest import StartRuntime
from tests.support.embedded_servers import start, stop
from tests.support.runtime import Runtime, make_folder
from tests.support.waiting import wait_until

LEASE_S = 3


@dataclass
class Database:
    """Run a PostgreSQL of this test's own, with its default durability."""

    service: Postgres
    process: "subprocess.Popen[bytes]"

    def crash(self) -> None:
        """Stop it immediately. As after a power cut, only the write-ahead log remains."""
        os.kill(self.process.pid, signal.SIGQUIT)
        self.process.wait(10)

    def restart(self) -> None:
        self.process = start(self.service)


@pytest.fixture
def database() -> Iterator[Database]:
    with make_folder() as folder:
        service = Postgres(folder)
        own = Database(service, start(service))
        yield own
        stop(service, own.process)


@pytest.fixture
def runtime(database: Database, start_runtime: StartRuntime) -> Iterator[Runtime]:
    settings = {"LOCALFN_LEASE_SECONDS": str(LEASE_S)}
    with start_runtime(database_url=database.service.url, settings=settings) as own:
        yield own


def test_an_outage_longer_than_the_lease_uses_no_attempt(database: Database, runtime: Runtime, tmp_path: Path) -> None:
    ledger, flag = tmp_path / "ledger", tmp_path / "flag"
    noted = runtime.post("sleep_and_note", {"ledger": str(ledger), "seconds": 1})
    flagged = runtime.post("wait_for_flag", {"flag": str(flag)})
    wait_until(ledger.exists, what="the first runs")
    wait_until(lambda: runtime.get(f"/api/requests/{flagged['id']}")["status"] == "processing")
    waiting = runtime.post("echo", "waiting", params={"delay_s": 2})

    database.crash()
    answer = wait_until(lambda: is_rejected(runtime), what="a submit is rejected")
    assert answer == "2"
    # Meanwhile the first function returns, and its worker holds the result. The outage outlasts every lease.
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > LEASE_S + 2, what="the leases would have lapsed")
    database.restart()

    wait_until(runtime.is_ready, 20, "it is ready again")
    first = runtime.wait_ended(noted["id"])
    assert (first["status"], first["attempt"]) == ("completed", 1), "what was computed is kept"
    flag.touch()
    second = runtime.wait_ended(flagged["id"])
    assert (second["status"], second["attempt"]) == ("completed", 1), "an absent database is no lost worker"
    assert runtime.wait_ended(waiting["id"])["status"] == "completed"
    assert ledger.read_text().count("\n") == 1


def is_rejected(runtime: Runtime) -> str | None:
    answer = runtime.http.post("/api/functions/echo", json={}, headers={"Idempotency-Key": "away"})
    return answer.headers["Retry-After"] if answer.status_code == 503 else None
