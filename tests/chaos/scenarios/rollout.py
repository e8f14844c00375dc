"""Roll a version out over two machines while clients submit, and back, and count lost requests.

Two machines run web, worker and scheduler on one database. The next version is one migration ahead.
"""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from infra.config.database_url import for_libpq
from tests.chaos.scenarios.next_version import Version, current_version, make_next_version
from tests.chaos.scenarios.polling_clients import Record, Verdict, judge, polling_clients
from tests.support.fork_server.client import RuntimeProcess, start
from tests.support.runtime import PROCESSES, STOP_LIMIT_S, free_port, sandbox_user_settings
from tests.support.waiting import wait_until

FUNCTIONS = Path(__file__).parents[1] / "functions"
CLIENTS = 6
START_LIMIT_S = 60
FAILED = "SELECT id::text, error_type FROM processing_request WHERE status = 'failed'"
ATTEMPTS = "SELECT count(*) FROM request_attempt"


@dataclass(frozen=True)
class RolloutReport:
    """Hold the outcome. failed: id and error type of failed requests. revisions: of the database, before and after."""

    record: Record
    verdict: Verdict
    failed: list[tuple[str, str]]
    attempts: int
    revisions: tuple[str, str]

    def table(self) -> str:
        rows = {
            "answered 202": len(self.record.accepted),
            "of these lost": len(self.verdict.lost),
            "without the right result": len(self.verdict.wrong),
            "failed": self.failed,
            "attempts": self.attempts,
            "answers": dict(sorted(self.record.answers.items())),
            "revisions": " -> ".join(self.revisions),
        }
        return "\n".join(f"{name:26}{value}" for name, value in rows.items())


@dataclass
class Machine:
    """Run web, worker and scheduler of one version. env: settings of this machine."""

    env: dict[str, str]
    log: Path
    processes: dict[str, RuntimeProcess] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.env['PORT']}"

    def run(self, version: Version, *words: str) -> RuntimeProcess:
        with self.log.open("ab") as log:
            return start(words, self.env | version.env(), log, log)

    def init(self, version: Version) -> None:
        assert self.run(version, "init").wait(START_LIMIT_S) == 0, self.log.read_text()

    def replace(self, version: Version) -> None:
        """Stop the machine, and start it with this version, as an orchestrator replaces pods."""
        self.stop()
        self.init(version)
        self.processes = {name: self.run(version, name) for name in PROCESSES}
        wait_until(self.accepts, START_LIMIT_S, "web accepts requests")

    def accepts(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(STOP_LIMIT_S) for name, process in self.processes.items()}
        self.processes = {}
        assert not any(codes.values()), codes


def run(folder: Path, database_url: str, redis_url: str, *, mixed_s: float) -> RolloutReport:
    """Roll out and back. mixed_s: how long each mixture of versions runs."""
    current = current_version()
    with run_machines(folder, database_url, redis_url) as (first, second):
        before = _revision(database_url)
        following = make_next_version(folder / "next", first.env)
        for machine in (first, second):
            machine.replace(current)
        with polling_clients([first.url, second.url], ("quick", "once"), CLIENTS) as record:
            first.init(following)  # migrates the database under the current version
            for machine, version in (
                (second, current),  # an old pod restarts during the rollout
                (first, following),
                (second, following),
                (second, current),  # and back
                (first, current),
            ):
                machine.replace(version)
                threading.Event().wait(mixed_s)
        verdict = judge(first.url, record)
        with psycopg.connect(for_libpq(database_url)) as connection:
            failed = [(str(id), str(error)) for id, error in connection.execute(FAILED)]
            ((attempts,),) = connection.execute(ATTEMPTS).fetchall()
        return RolloutReport(record, verdict, failed, attempts, (before, _revision(database_url)))


@contextmanager
def run_machines(folder: Path, database_url: str, redis_url: str) -> Iterator[tuple[Machine, Machine]]:
    machines = [_make_machine(folder / name, database_url, redis_url) for name in ("first", "second")]
    try:
        yield machines[0], machines[1]
    finally:
        for process in (process for machine in machines for process in machine.processes.values()):
            process.kill()
            process.wait()


def _make_machine(folder: Path, database_url: str, redis_url: str) -> Machine:
    folder.mkdir()
    shutil.copytree(FUNCTIONS, folder / "functions")  # a pool is known by this path
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PORT": str(free_port()),
        "LOCALFN_ENV": "production",
        "LOCALFN_AUTH": "none",
        "LOCALFN_INSECURE": "1",
        "HOST": "127.0.0.1",
        "LOCALFN_HOME": str(folder / "home"),
        "LOCALFN_FUNCTIONS": str(folder / "functions"),
        "LOCALFN_WORKERS": "1",
        "CHAOS_LEDGER": "/dev/null",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCALFN_")}
    return Machine(inherited | settings | sandbox_user_settings(), folder / "log")


def _revision(database_url: str) -> str:
    with psycopg.connect(for_libpq(database_url)) as connection:
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(revision)
