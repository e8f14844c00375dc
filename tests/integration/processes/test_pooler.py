"""Put PgBouncer before PostgreSQL: sessions work, and a pool of transactions is refused at the start."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from infra.database.pooler import shares_sessions
from infra.doctor import database
from schema.engine import make_engine
from tests.conftest import StartRuntime
from tests.integration.processes.init_environment import InitEnvironment
from tests.integration.processes.pgbouncer import run_pgbouncer
from tests.support.commands import localfn
from tests.support.runtime import PROCESSES, free_port
from tests.support.waiting import wait_until

CLIENTS = 8
COMMANDS = [("up",), ("init",), *((name,) for name in PROCESSES)]


@pytest.fixture
def session_pool(database_url: str, tmp_path: Path) -> Iterator[str]:
    with run_pgbouncer(database_url, "session", tmp_path) as url:
        yield url


@pytest.fixture(params=[("transaction", 1), ("transaction", 4), ("statement", 4)], ids=str)
def transaction_pool(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    mode, pool_size = request.param
    with run_pgbouncer(database_url, mode, tmp_path, pool_size) as url:
        yield url


def shares(url: str) -> bool:
    engine = make_engine(url, pool_size=2, max_overflow=0)
    try:
        return shares_sessions(engine)
    finally:
        engine.dispose()


def test_sessions_are_told_from_transactions(database_url: str, session_pool: str) -> None:
    assert not shares(database_url)
    assert not shares(session_pool)


def test_a_pool_of_transactions_is_found(transaction_pool: str) -> None:
    assert shares(transaction_pool)


def test_a_pool_of_transactions_is_found_while_others_use_it(transaction_pool: str) -> None:
    over = threading.Event()

    def query() -> None:
        with psycopg.connect(transaction_pool.replace("+psycopg", "", 1), autocommit=True) as connection:
            while not over.is_set():
                connection.execute("SELECT 1", prepare=False)

    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(query) for _ in range(CLIENTS)]
        try:
            assert all(shares(transaction_pool) for _ in range(20))
        finally:
            over.set()
        for client in clients:
            client.result()


def test_the_runtime_works_with_a_pool_of_sessions(start_runtime: StartRuntime, session_pool: str) -> None:
    with start_runtime(database_url=session_pool) as runtime:
        assert [runtime.result("echo", number) for number in range(20)] == list(range(20))  # statements get prepared
        runtime.write(
            "new.py", "from localfn import function\n\n\n@function\ndef added(event, context):\n    return 7\n"
        )
        wait_until(lambda: runtime.knows("added"), 10, "web hears of a new function")
        assert runtime.result("added") == 7
        found = localfn(runtime, "doctor").stdout
        assert "a pooler keeps sessions" in found
        runtime.stop("scheduler")
        runtime.start("scheduler")  # it gets the locks that the other one held
        body = {"name": "each-second", "function": "echo", "expression": "rate(1 second)"}
        assert runtime.http.post("/api/schedules", json=body).status_code == 201
        wait_until(lambda: runtime.get("/api/requests?schedule=each-second")["items"], 20, "the schedule fires")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_process_refuses_a_pool_of_transactions_with_one_line(
    initialized: InitEnvironment, tmp_path: Path, words: tuple[str, ...]
) -> None:
    with run_pgbouncer(initialized.database_url, "transaction", tmp_path) as url:
        initialized.env |= {"DATABASE_URL": url, "PORT": str(free_port())}
        code, out, errors = initialized.run(*words)
    assert code == 1, (out, errors)
    assert "set pool_mode of PgBouncer to session" in out + errors
    assert "Traceback" not in out + errors


def test_doctor_names_a_pool_of_transactions(transaction_pool: str) -> None:
    engine = make_engine(transaction_pool, pool_size=2, max_overflow=0)
    try:
        [found] = database.access(engine, workers=1)
    finally:
        engine.dispose()
    assert not found.ok
    assert "pool_mode of PgBouncer to session" in found.hint
