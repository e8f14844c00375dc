"""Freeze PostgreSQL with SIGSTOP: callers get an error soon, and all processes continue when it does."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from infra.embedded.postgres import Postgres
from schema import connection_watchdog
from schema.engine import make_engine
from tests.conftest import Servers, StartRuntime
from tests.support.commands import localfn
from tests.support.embedded_servers import start, stop
from tests.support.runtime import Runtime, make_folder
from tests.support.waiting import wait_until

LEASE_S = 8  # The default: after the freeze, workers get as long again to reconnect.
BOUND_S = 25  # The promise is ten; the rest is for a busy machine.
CALLS = 60  # at once: more than there are connections


@dataclass
class FreezableServer:
    """Run a PostgreSQL of this test's own, and freeze it with all its backends."""

    service: Postgres
    process: "subprocess.Popen[bytes]"

    def freeze(self) -> None:
        for process in self._all():
            process.suspend()

    def thaw(self) -> None:
        for process in self._all():
            process.resume()

    def _all(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


@pytest.fixture(scope="module")
def database() -> Iterator[FreezableServer]:
    with make_folder() as folder:
        service = Postgres(folder)
        own = FreezableServer(service, start(service))
        try:
            yield own
        finally:
            own.thaw()
            stop(service, own.process)


@pytest.fixture(scope="module")
def runtime(database: FreezableServer, start_runtime: StartRuntime) -> Iterator[Runtime]:
    settings = {"LOCALFN_LEASE_SECONDS": str(LEASE_S)}
    with start_runtime(database_url=database.service.url, settings=settings) as own:
        yield own


@pytest.fixture
def frozen(database: FreezableServer, runtime: Runtime) -> Iterator[FreezableServer]:
    wait_until(runtime.is_ready, 30)
    database.freeze()
    try:
        yield database
    finally:
        database.thaw()
        wait_until(lambda: is_ready_everywhere(runtime), 30, "it is ready again")


def is_ready_everywhere(runtime: Runtime) -> bool:
    """Return True if as many calls at once as the freeze met are answered.

    Web processes share them, each detects the freeze itself, and each of its connections may be lost.
    """

    def call(_: int) -> int:
        return httpx.get(f"{runtime.url}/api/functions", timeout=BOUND_S).status_code

    with ThreadPoolExecutor(CALLS) as pool:
        return set(pool.map(call, range(CALLS))) == {200}


def test_every_call_gets_a_response_soon(frozen: FreezableServer, runtime: Runtime) -> None:
    """Send more calls than connections: no call waits behind another."""
    wait_until(lambda: not runtime.is_ready(), 30, "the check of readiness has noticed")
    calls = [
        ("GET", "/readyz"),
        ("GET", "/api/schedules"),
        ("GET", "/api/requests"),
        ("GET", "/api/functions"),
        ("POST", "/api/functions/echo"),
    ]

    def call(number: int) -> httpx.Response:
        method, path = calls[number % len(calls)]
        return httpx.request(method, runtime.url + path, json={} if method == "POST" else None, timeout=BOUND_S)

    with ThreadPoolExecutor(CALLS) as pool:
        answers = list(pool.map(call, range(CALLS)))
    assert {answer.status_code for answer in answers} == {503}
    for answer in answers:
        if answer.url.path != "/readyz":
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.headers["Retry-After"] == "2"
            assert ("Idempotency-Key" in answer.json()["detail"]) == (answer.request.method == "POST")
    assert httpx.get(f"{runtime.url}/api/stats", timeout=BOUND_S).status_code in (200, 503), "the last numbers, or none"


def test_commands_report_it_in_one_line(frozen: FreezableServer, runtime: Runtime) -> None:
    for words in (["functions", "list"], ["requests", "list"], ["functions", "invoke", "echo"]):
        done = localfn(runtime, *words)
        assert (done.returncode, len(done.stderr.splitlines())) == (3, 1), done.stderr
        assert "database is unavailable" in done.stderr


def test_workers_and_scheduler_continue_afterwards(database: FreezableServer, runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    held = runtime.post("wait_for_flag", {"flag": str(flag)})
    wait_until(lambda: runtime.get(f"/api/requests/{held['id']}")["status"] == "processing")
    later = runtime.post("echo", "later", params={"delay_s": 2})
    database.freeze()
    try:
        began = time.monotonic()
        # Long enough for every process to detect the freeze: its timeout and one query.
        found_out_s = connection_watchdog.PROBE_AFTER_S + connection_watchdog.PROBE_TIMEOUT_S + LEASE_S
        wait_until(lambda: time.monotonic() - began > found_out_s, 30, "all leases would have lapsed")
    finally:
        database.thaw()
    wait_until(lambda: is_ready_everywhere(runtime), 30, "it is ready again")
    assert runtime.wait_ended(later["id"])["status"] == "completed"
    flag.touch()
    ended = runtime.wait_ended(held["id"])
    assert (ended["status"], ended["attempt"]) == ("completed", 1), "a silent database is no lost worker"
    assert runtime.result("echo", "well") == "well"


@pytest.fixture
def interrupting_engine(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Return an engine whose every wait is interrupted and resumed many times."""
    monkeypatch.setattr(connection_watchdog, "PROBE_AFTER_S", 0.001)
    engine = make_engine(servers.database_url, pool_size=1)
    yield engine
    engine.dispose()


def test_a_slow_server_is_waited_for(interrupting_engine: Engine) -> None:
    large = "x" * 8_000_000
    with interrupting_engine.connect() as connection:
        statement = text("SELECT :large || pg_sleep(0.5)")
        assert connection.execute(statement, {"large": large}).scalar_one() == large
        first = connection.connection.dbapi_connection
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
        connection.commit()
        assert connection.connection.dbapi_connection is first


def test_a_single_silent_connection_times_out(interrupting_engine: Engine, servers: Servers) -> None:
    engine = make_engine(servers.database_url, pool_size=1, max_statement_s=0.5)
    try:
        with engine.connect() as connection, pytest.raises(OperationalError, match="does not answer"):
            connection.execute(text("SELECT pg_sleep(60)"))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
    finally:
        engine.dispose()


def test_an_unresponsive_server_fails_old_and_new_connections_at_once(database: FreezableServer) -> None:
    engine = make_engine(database.service.url, pool_size=2)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            database.freeze()
            with pytest.raises(OperationalError, match="does not answer"):
                connection.execute(text("SELECT 1"))
            assert connection.invalidated
            began = time.monotonic()
            with pytest.raises(OperationalError, match="does not answer"):
                engine.connect()
            assert time.monotonic() - began < connection_watchdog.PROBE_AFTER_S, "it is known to be unresponsive"
        database.thaw()
        wait_until(lambda: answers(engine), 15, "it answers again")
    finally:
        database.thaw()
        engine.dispose()


def answers(engine: Engine) -> bool:
    try:
        with engine.connect() as connection:
            return bool(connection.execute(text("SELECT true")).scalar_one())
    except OperationalError:
        return False
