"""Use up PostgreSQL's connections: no process opens more than it is counted with, and no request is lost."""

import contextlib
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from infra.config.capacity import CONNECTIONS
from infra.embedded.postgres import Postgres
from tests.conftest import StartRuntime
from tests.support.commands import localfn
from tests.support.embedded_servers import start, stop
from tests.support.runtime import Runtime, make_folder
from tests.support.waiting import wait_until
from workqueue.heartbeats.session_names import Process, read_session_name

CLIENTS = 60
ADVICE = "set max_connections of PostgreSQL to"
MUCH = CONNECTIONS[Process.WEB] / 2  # how they spread over the web processes is chance
LOCKED_S = 10.0
FEW = 50  # connections of a server
NEEDED = 40 + 8 + 1 + 4 + 3  # web, scheduler, housekeeper, a worker; reserved for superusers
SESSIONS = "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1"
OURS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'localfn%' AND backend_type = 'client backend'"


class MostSessions:
    """Watch the sessions of a database. most: application_name -> the most sessions at one time."""

    def __init__(self, database_url: str) -> None:
        self.most: Counter[str] = Counter()
        self._url = database_url.replace("+psycopg", "", 1)
        self._over = threading.Event()

    def watch(self) -> None:
        with psycopg.connect(self._url, autocommit=True, application_name="witness") as connection:
            while not self._over.is_set():
                for name, count in connection.execute(SESSIONS):
                    self.most[name] = max(self.most[name], count)

    def end(self) -> None:
        self._over.set()

    def of(self, process: Process) -> list[int]:
        kinds = {name: read_session_name(name) for name in self.most}
        return [self.most[name] for name, kind in kinds.items() if kind is not None and kind[0] is process]


def test_no_process_opens_more_connections_under_load_than_it_is_counted_with(start_runtime: StartRuntime) -> None:
    with start_runtime(settings={"LOCALFN_WORKERS": "2", "LOCALFN_CONCURRENCY": "8"}) as runtime:
        for number in range(5):
            body = {"name": f"each-second-{number}", "function": "echo", "expression": "rate(1 second)"}
            assert runtime.http.post("/api/schedules", json=body).status_code == 201
        seen, over = MostSessions(runtime.database_url), threading.Event()
        with ThreadPoolExecutor(CLIENTS + 1) as threads:
            threads.submit(seen.watch)
            clients = [threads.submit(call_until, runtime, over) for _ in range(CLIENTS)]
            try:
                # Each statement waits for the lock, so each process opens all the connections that it has use for.
                with psycopg.connect(runtime.database_url.replace("+psycopg", "", 1)) as connection:
                    connection.execute("LOCK TABLE processing_request, schedule IN ACCESS EXCLUSIVE MODE")
                    wait_until(lambda: max(seen.of(Process.WEB)) >= MUCH, LOCKED_S, "web opens connections")
                wait_until(lambda: len(seen.of(Process.WORKER)) == 2, what="both workers are seen")
            finally:
                over.set()
                seen.end()
            answers = sum((client.result() for client in clients), Counter[int]())
    assert set(answers) <= {200, 202, 503}, answers
    for process in Process:
        assert 0 < max(seen.of(process)) <= CONNECTIONS[process], (process, seen.most)


def call_until(runtime: Runtime, over: threading.Event) -> Counter[int]:
    """Call the API until the event; count the status codes."""
    answers: Counter[int] = Counter()
    while not over.is_set():
        for path in ("/api/requests?limit=100", "/metrics", "/api/requests?q=echo"):
            answers[runtime.http.get(path).status_code] += 1
        answers[runtime.http.post("/api/functions/echo", json=0).status_code] += 1
    return answers


@pytest.fixture
def crowded() -> Iterator[Postgres]:
    """Run a PostgreSQL of this test's own that allows few connections."""
    with make_folder() as folder:
        service = Postgres(folder, max_connections=FEW)
        process = start(service)
        yield service
        stop(service, process)


def test_without_a_free_connection_submits_are_rejected_for_a_moment_and_no_request_is_lost(
    crowded: Postgres, start_runtime: StartRuntime, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    with start_runtime(database_url=crowded.url, settings={"LOCALFN_WORKERS": "1"}) as runtime:
        log = Path(runtime.log.name)
        assert NEEDED <= advised_limit(localfn(runtime, "doctor").stdout) <= NEEDED + FEW
        assert runtime.stop("worker") == 0
        before = len(log.read_text())
        runtime.start("worker")  # it finds web and scheduler
        wait_until(lambda: ADVICE in log.read_text()[before:], what="the start warns")
        assert NEEDED <= advised_limit(log.read_text()[before:]) <= NEEDED + FEW

        accepted = [runtime.post("wait_for_flag", {"flag": str(flag)})["id"] for _ in range(3)]
        wait_until(lambda: all(status(runtime, each) == "processing" for each in accepted), what="they run")
        with take_all_connections(crowded.url):
            answer = wait_until(lambda: rejection(runtime), what="a submit is rejected")
            assert answer == (503, "2")
            assert runtime.http.get("/api/requests").status_code == 503
            flag.touch()  # the functions return, and their worker cannot store it
        wait_until(runtime.is_ready, 20, "it is ready again")
        accepted.append(runtime.post("echo", "later")["id"])
        for each in accepted:
            assert runtime.wait_ended(each)["status"] == "completed"
            assert len(runtime.attempts(each)) == 1


def advised_limit(text: str) -> int:
    """Return the max_connections that is advised; commands that run meanwhile count, too."""
    found = re.search(rf"{ADVICE} (\d+) or more", text)
    assert found is not None, text
    return int(found[1])


def status(runtime: Runtime, request_id: str) -> str:
    return str(runtime.get(f"/api/requests/{request_id}")["status"])


def rejection(runtime: Runtime) -> tuple[int, str] | None:
    answer = runtime.http.post("/api/functions/echo", json="rejected")
    return None if answer.status_code == 202 else (answer.status_code, answer.headers["Retry-After"])


@contextlib.contextmanager
def take_all_connections(url: str) -> Iterator[None]:
    """Hold every connection of the server, those that are reserved for superusers, too."""
    address = url.replace("+psycopg", "", 1)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(psycopg.connect(address, autocommit=True, application_name="witness"))

        def take() -> bool:
            """Take all free connections; end the sessions of the runtime. Return whether it had none."""
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg.connect(address, application_name="witness"))
            ours = first.execute(OURS).fetchall()
            for (pid,) in ours:
                first.execute("SELECT pg_terminate_backend(%s)", [pid])
            return not ours

        wait_until(take, 20, "the runtime has no connection")
        yield
