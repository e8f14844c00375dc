"""Kill PostgreSQL's primary while clients submit, promote its standby, and count lost requests.

Before the kill the stream to the standby is cut for a while, as by a slow network: an asynchronous standby lacks what
was accepted meanwhile. With a synchronous one PostgreSQL accepts nothing meanwhile.
"""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from infra.config.database_url import for_libpq
from infra.embedded.postgres import PORT, Postgres, find_program
from infra.embedded.redis import Redis
from infra.embedded.sockets import socket_folder
from infra.embedded.unprivileged_user import server_user
from tests.chaos.environment import processes
from tests.chaos.scenarios.polling_clients import Record, Verdict, judge, polling_clients
from tests.support.commands import localfn
from tests.support.embedded_servers import start, stop
from tests.support.runtime import Runtime, run_runtime
from tests.support.waiting import wait_until

FUNCTIONS = Path(__file__).parents[1] / "functions"
STANDBY = "standby"
CLIENTS = 12
AGAIN_LIMIT_S = 30.0
STREAMS = "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"


@dataclass(frozen=True)
class FailoverReport:
    """Hold the outcome. again: requests that started twice, by function. pause_s: from the kill to the next 202."""

    record: Record
    verdict: Verdict
    again: Counter[str]
    pause_s: float
    doctor: str

    def table(self) -> str:
        rows = {
            "answered 202": len(self.record.accepted),
            "of these lost": len(self.verdict.lost),
            "without the right result": len(self.verdict.wrong),
            "started more than once": dict(self.again),
            "seconds without a 202": f"{self.pause_s:.1f}",
            "answers": dict(sorted(self.record.answers.items())),
            "doctor": self.doctor,
        }
        return "\n".join(f"{name:26}{value}" for name, value in rows.items())


@dataclass
class Pair:
    """Run a primary and its standby."""

    primary: Postgres
    standby: Postgres

    @property
    def url(self) -> str:
        """Return the URL that names both, and asks for a server that can be written to."""
        login, _ = self.primary.url.split("@", 1)
        hosts = ",".join(str(socket_folder(each.home)) for each in (self.primary, self.standby))
        return f"{login}@/postgres?host={hosts}&port={PORT},{PORT}&target_session_attrs=read-write"

    def wait_for_standby(self) -> None:
        """Make commits wait until the standby has them on its disk."""
        execute(self.primary, f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        execute(self.primary, "SELECT pg_reload_conf()")

    def cut_stream(self) -> None:
        execute(self.standby, "ALTER SYSTEM SET primary_conninfo = ''")
        execute(self.standby, "SELECT pg_reload_conf()")
        wait_until(lambda: not ask(self.primary, STREAMS), what="the stream ends")

    def fail_over(self) -> None:
        processes.send_all(processes.find_postgres(self.primary.data), signal.SIGKILL)
        execute(self.standby, "SELECT pg_promote()")


def run(folder: Path, *, is_synchronous: bool, before_s: float = 4.0, cut_s: float = 2.0) -> FailoverReport:
    """Run one failover. before_s: load before the stream is cut. cut_s: load between the cut and the kill."""
    ledger, redis = folder / "ledger", Redis(folder / "redis")
    redis.home.mkdir()
    settings = {"LOCALFN_FUNCTIONS": str(FUNCTIONS), "CHAOS_LEDGER": str(ledger)}
    with run_pair(folder) as pair, ExitStack() as stack:
        stack.callback(stop, redis, start(redis))
        if is_synchronous:
            pair.wait_for_standby()
        (folder / "runtime").mkdir()
        runtime = stack.enter_context(run_runtime(pair.url, redis.url, folder / "runtime", settings=settings))
        doctor = next(line for line in localfn(runtime, "doctor").stdout.splitlines() if "replication" in line)
        with polling_clients([runtime.url], ("quick", "once"), CLIENTS) as record:
            pause(before_s)
            pair.cut_stream()
            pause(cut_s)
            pair.fail_over()
            pause_s = _wait_for_accept(runtime, record)
            pause(before_s)
        verdict = judge(runtime.url, record)
        return FailoverReport(record, verdict, _run_again(ledger), pause_s, doctor)


def _wait_for_accept(runtime: Runtime, record: Record) -> float:
    """Return the seconds until a submit is accepted; the record counts it, too."""
    began = time.monotonic()

    def submit() -> bool:
        answer = runtime.http.post("/api/functions/quick", json={"token": "after"})
        if answer.status_code == 202:
            record.accepted[answer.json()["id"]] = "after"
        return answer.status_code == 202

    wait_until(submit, AGAIN_LIMIT_S, "requests are accepted again")
    return time.monotonic() - began


def _run_again(ledger: Path) -> Counter[str]:
    """Count the requests of each function that started more than once."""
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    starts = Counter((line["function"], line["id"]) for line in lines if line["what"] == "start")
    return Counter(function for (function, _), count in starts.items() if count > 1)


@contextmanager
def run_pair(folder: Path) -> Iterator[Pair]:
    """Run a primary, and a standby that was copied from it."""
    pair = Pair(Postgres(folder / "primary"), Postgres(folder / "standby"))
    for each in (pair.primary, pair.standby):
        each.home.mkdir()
    with ExitStack() as stack:
        stack.callback(stop, pair.primary, start(pair.primary))
        _copy(pair.primary, pair.standby)
        stack.callback(stop, pair.standby, start(pair.standby))
        wait_until(lambda: ask(pair.primary, STREAMS), what="the standby follows")
        yield pair


def _copy(primary: Postgres, standby: Postgres) -> None:
    standby.folder.mkdir(mode=0o700)
    shutil.copy2(primary.folder / "password", standby.folder / "password")
    server_user().take_ownership(standby.folder)
    address = make_conninfo(for_libpq(primary.url), application_name=STANDBY)
    command = [str(find_program("pg_basebackup")), "--pgdata", str(standby.data), "--write-recovery-conf"]
    arguments = ["--checkpoint=fast", "--wal-method=stream", "--dbname", address]
    subprocess.run([*server_user().prefix, *command, *arguments], check=True, stdout=sys.stderr)


def ask(server: Postgres, query: str) -> object:
    with psycopg.connect(for_libpq(server.url), autocommit=True, connect_timeout=5) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def execute(server: Postgres, statement: str) -> None:
    with psycopg.connect(for_libpq(server.url), autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement.encode())


def pause(seconds: float) -> None:
    """Let the load go on."""
    threading.Event().wait(seconds)
