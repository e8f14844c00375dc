"""Run one PostgreSQL and one Redis for all contestants, with the durability of `localfn up`."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from benchmarks.peers.durable import TABLES
from benchmarks.peers.processes import Command, last_lines, start
from infra.config.database_url import DRIVER
from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis
from infra.embedded.service import Service
from infra.embedded.sockets import socket_folder
from infra.errors import ServerFailedError

PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Servers:
    """Hold the addresses of the servers.

    database_url: in the form of libpq. pids: of both servers.
    """

    database_url: str
    redis_url: str
    pids: tuple[int, ...]

    def even_out(self) -> None:
        """Empty Redis, and make PostgreSQL write all changes of the pass before."""
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def versions(self) -> dict[str, str]:
        with redis.Redis.from_url(self.redis_url) as client, psycopg.connect(self.database_url) as connection:
            row = connection.execute("SHOW server_version").fetchone()
            assert row is not None
            return {"PostgreSQL": str(row[0]), "Redis": str(client.info("server")["redis_version"])}


@contextmanager
def running(home: Path) -> Iterator[Servers]:
    """Start both, create the peers' tables, and stop both at the end of the block. Raises InfraError."""
    home.mkdir(mode=0o700)
    postgres, store = Postgres(home), Redis(home)
    with ExitStack() as stack:
        pids = [stack.enter_context(_serving(each, home / f"{each.name}.log")) for each in (postgres, store)]
        servers = Servers(postgres.url.replace(DRIVER, "postgresql://", 1), store.url, tuple(pids))
        with psycopg.connect(servers.database_url) as connection:
            connection.execute(TABLES)
        yield servers
    shutil.rmtree(socket_folder(home), ignore_errors=True)  # it may be outside the home


@contextmanager
def _serving(service: Service, log: Path) -> Iterator[int]:
    service.prepare()
    process = start(Command(tuple(service.command()), os.environ), log)
    try:
        while not service.is_ready():
            if process.poll() is not None:
                raise ServerFailedError(f"{service.name} ended at its start:\n{last_lines(log.read_text())}")
            time.sleep(PAUSE_S)
        yield process.pid
    finally:
        _stop(service, process)


def _stop(service: Service, process: subprocess.Popen[bytes]) -> None:
    for number, patience_s in service.stop_steps:
        process.send_signal(number)
        try:
            process.wait(patience_s)
            return
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()
