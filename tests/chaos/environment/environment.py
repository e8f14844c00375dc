"""Run both servers, the proxy before PostgreSQL, and a runtime of six processes; each is restarted when it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import redis as redis_client
import sqlalchemy

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service
from infra.embedded.sockets import make_socket_folder, socket_folder
from infra.embedded.unprivileged_user import server_user
from tests.chaos.environment import processes
from tests.chaos.environment.disk import WAL_LIMIT, reserve, small_disk
from tests.chaos.environment.proxy import Proxy
from tests.chaos.environment.restarter import Restarter, wait_ended
from tests.chaos.evidence.event_log import EventLog
from tests.support.runtime import free_port
from tests.support.waiting import wait_until

FUNCTIONS = Path(__file__).parents[1] / "functions"
RUN = "CHAOS_RUN"  # environment variable of all processes of a run, those of user code, too
RUNTIME = {"web": "web", "pool-1": "worker", "pool-2": "worker", "scheduler-1": "scheduler", "scheduler-2": "scheduler"}
POOLS = ("pool-1", "pool-2")
# One pool of two small workers, which often has a backlog, and one whose only worker runs hundreds of requests.
CAPACITY = {
    "pool-1": {"LOCALFN_WORKERS": "2", "LOCALFN_CONCURRENCY": "8"},
    "pool-2": {"LOCALFN_WORKERS": "1", "LOCALFN_CONCURRENCY": "250"},
}
START_LIMIT_S = 60
STOP_LIMIT_S = 20.0
GRACE_S = 5


@dataclass
class ChaosEnvironment:
    """Hold the servers and processes of a run.

    direct_url: PostgreSQL without the proxy. run: tag of all processes of this run.
    """

    folder: Path
    url: str
    direct_url: str
    redis_url: str
    run: str
    event_log: EventLog
    proxy: Proxy
    postgres: Postgres
    redis: Redis
    restarters: dict[str, Restarter]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def has_small_disk(self) -> bool:
        return self.home.is_mount()

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def pool_pids(self) -> list[int]:
        return self._pids(POOLS)

    @property
    def runtime_pids(self) -> list[int]:
        return self._pids(RUNTIME)

    def _pids(self, names: Iterable[str]) -> list[int]:
        kept = [self.restarters[name].process for name in names]
        return [process.pid for process in kept if process is not None and process.poll() is None]

    def is_ready(self) -> bool:
        try:
            answer = httpx.get(f"{self.url}/readyz?verbose", timeout=2)
            states = {check["state"] for check in answer.json()["checks"].values()}
            return answer.status_code == 200 and states == {"ok"}
        except httpx.TransportError:
            return False

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.direct_url, autocommit=True, application_name="chaos", connect_timeout=2)

    def connect_redis(self) -> redis_client.Redis:
        return redis_client.Redis.from_url(self.redis_url, socket_timeout=2, socket_connect_timeout=2)

    def stop_runtime(self) -> list[str]:
        """Send SIGTERM to the whole runtime; return the names of the processes that did not end in time."""
        kept = [self.restarters[name] for name in RUNTIME if name in self.restarters]
        for restarter in kept:
            restarter.stop_restarting()
        for restarter in kept:
            assert restarter.process is not None
            restarter.process.send_signal(signal.SIGTERM)
        return wait_ended(kept, STOP_LIMIT_S)


@contextmanager
def run_environment(folder: Path, seed: int, lease_s: float, *, keep: bool = False) -> Iterator[ChaosEnvironment]:
    """Start everything in `folder`, and end all of it, after errors, too.

    keep: leave the data in `folder`.
    """
    home = folder / "home"
    home.mkdir(mode=0o700)
    with small_disk(home, keep=keep), reserve(home), _start_all(folder, home, seed, lease_s) as environment:
        yield environment


@contextmanager
def _start_all(folder: Path, home: Path, seed: int, lease_s: float) -> Iterator[ChaosEnvironment]:
    (folder / "logs").mkdir()
    event_log, run = EventLog(), uuid4().hex
    postgres, redis_server = Postgres(home, options=WAL_LIMIT), Redis(home)
    restarters = {service.name: _restarter_of(service, folder, event_log) for service in (postgres, redis_server)}
    sockets = make_socket_folder(home, server_user().owner)
    proxy = Proxy(_proxy_folder(home), sockets / ".s.PGSQL.5432", event_log, seed)
    proxy.start()
    try:
        for service in (postgres, redis_server):
            restarters[service.name].start()
            wait_until(service.is_ready, START_LIMIT_S, f"{service.name} is ready")
        port = free_port()
        env = _environment(folder, postgres, redis_server, port, lease_s) | {RUN: run}
        restarters |= _runtime(folder, env, event_log)
        direct_url = postgres.url.replace("+psycopg", "", 1)
        url = f"http://127.0.0.1:{port}"
        environment = ChaosEnvironment(
            folder, url, direct_url, redis_server.url, run, event_log, proxy, postgres, redis_server, restarters
        )
        _start_runtime(environment, env)
        yield environment
    finally:
        _end(restarters, {service.name: service for service in (postgres, redis_server)})
        proxy.stop()
        # The verdict has reported leftover processes; end them.
        processes.send_all(processes.find_tagged(RUN, run), signal.SIGKILL)


def _start_runtime(environment: ChaosEnvironment, env: dict[str, str]) -> None:
    with (environment.logs / "init.log").open("wb") as log:
        subprocess.run(_command("init"), env=env, check=True, timeout=START_LIMIT_S, stdout=log, stderr=log)
    for name in RUNTIME:
        environment.restarters[name].start()
    wait_until(environment.is_ready, START_LIMIT_S, "the runtime is ready")


def _end(restarters: dict[str, Restarter], services: dict[str, Service]) -> None:
    """End all processes, after an error, too: none outlives the run."""
    for name, restarter in reversed(restarters.items()):
        if restarter.process is None:
            continue
        processes.send_all(processes.add_children(processes.find_running([restarter.process.pid])), signal.SIGCONT)
        if restarter.process.poll() is None or name in services:
            restarter.stop(services[name].stop_steps if name in services else ((signal.SIGTERM, STOP_LIMIT_S),))


def _proxy_folder(home: Path) -> Path:
    """Return a folder beside PostgreSQL's socket: its place tells the runtime that the data are in LOCALFN_HOME."""
    return socket_folder(home) / "proxy"


def _environment(folder: Path, postgres: Postgres, redis: Redis, port: int, lease_s: float) -> dict[str, str]:
    through_proxy = sqlalchemy.make_url(postgres.url).update_query_dict({"host": str(_proxy_folder(folder / "home"))})
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCALFN_")}
    return inherited | {
        "DATABASE_URL": through_proxy.render_as_string(hide_password=False),
        "REDIS_URL": redis.url,
        "RQ_REDIS_URL": redis.url,
        "PORT": str(port),
        "LOCALFN_HOME": str(folder / "home"),
        "LOCALFN_FUNCTIONS": str(FUNCTIONS),
        "LOCALFN_LEASE_SECONDS": f"{lease_s:g}",
        "LOCALFN_GRACE_SECONDS": str(GRACE_S),
        "LOG_FORMAT": "json",
        "CHAOS_LEDGER": str(folder / "ledger"),
    }


def _command(name: str) -> list[str]:
    return [sys.executable, "-P", "-m", "localfn_runtime", name]


def _runtime(folder: Path, env: dict[str, str], event_log: EventLog) -> dict[str, Restarter]:
    def restarter(name: str, command: list[str]) -> Restarter:
        return Restarter(
            name, lambda: command, env | CAPACITY.get(name, {}), folder / "logs" / f"{name}.log", event_log
        )

    return {name: restarter(name, _command(word)) for name, word in RUNTIME.items()}


def _restarter_of(service: Service, folder: Path, event_log: EventLog) -> Restarter:
    log = folder / "logs" / f"{service.name}.log"
    return Restarter(service.name, service.command, None, log, event_log, prepare=service.prepare)
