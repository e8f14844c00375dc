"""Start requests whose processes a test kills, and find these processes."""

from pathlib import Path

import psutil

from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

MARGIN_S = 20  # A margin for a busy machine; the chaos runs measure the promise.


def start_request(own_runtime: Runtime, function: str, tmp_path: Path, seconds: float) -> tuple[str, Path, int]:
    """Start a request; return its id, its ledger, and the pid of its sandbox."""
    ledger = tmp_path / "ledger"
    request = own_runtime.post(function, {"ledger": str(ledger), "seconds": seconds})
    wait_until(lambda: ledger.exists() and ledger.read_text(), what="it runs")
    wait_until(lambda: own_runtime.get(f"/api/requests/{request['id']}")["status"] == "processing")
    return request["id"], ledger, int(ledger.read_text().split()[1])


def worker_of(own_runtime: Runtime, request_id: str) -> psutil.Process:
    """Return the process of the worker that runs a request, which the database names."""
    from sqlalchemy import text

    from schema.engine import make_engine

    engine = make_engine(own_runtime.database_url, pool_size=1)
    with engine.connect() as connection:
        statement = text("SELECT w.pid FROM worker w JOIN processing_request r ON r.worker = w.name WHERE r.id = :id")
        pid = connection.execute(statement, {"id": request_id}).scalar_one()
    engine.dispose()
    return psutil.Process(pid)


def attempts_started(ledger: Path) -> list[int]:
    return [int(line.split()[0]) for line in ledger.read_text().splitlines()]


def waits_for_a_sandbox(own_runtime: Runtime, request_id: str) -> bool:
    shown = own_runtime.get(f"/api/requests/{request_id}")
    return (shown["status"], shown["error_type"]) == ("pending", "NoSandbox")
