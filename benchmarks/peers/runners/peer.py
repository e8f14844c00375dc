"""Run a peer in the peers' environment."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.peers.durable import DATABASE_URL, REDIS_URL, WAY
from benchmarks.peers.processes import ROOT, Command, answer
from benchmarks.peers.report.rows import PEERS, Rows
from benchmarks.peers.servers import Servers
from benchmarks.peers.setups import Setup

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
CLIENT = "benchmarks.peers.client"
CLIENT_LIMIT_S = 600
DISTRIBUTIONS = ("celery", "dramatiq", "huey", "rq", "redis", "psycopg")


class PeerContestant:
    """Run a peer and its client in the peers' environment.

    way: variant of the task, one of durable.WAYS.
    """

    def __init__(self, setup: Setup, servers: Servers, folder: Path, way: str) -> None:
        self.name, self.kind, self.description, self.share = setup.name, setup.kind, setup.description, setup.share
        self.log = folder / f"{setup.module}.log"
        self._setup, self._servers, self._way = setup, servers, way

    def commands(self) -> Sequence[Command]:
        return [self._command(*self._setup.words)] * self._setup.copies

    def rows(self) -> Rows:
        return Rows(self._servers.database_url, PEERS)

    def fill(self, function: str, count: int) -> None:
        self._ask("fill", function, count)

    def latencies_ms(self, function: str, count: int) -> list[float]:
        latencies: list[float] = json.loads(self._ask("idle", function, count))
        return latencies

    def _ask(self, verb: str, function: str, count: int) -> str:
        return answer(self._command("-m", CLIENT, verb, self._setup.module, function, str(count)), CLIENT_LIMIT_S)

    def _command(self, *words: str) -> Command:
        settings = {DATABASE_URL: self._servers.database_url, REDIS_URL: self._servers.redis_url, WAY: self._way}
        return Command((str(PYTHON), *words), environment() | settings)


def environment() -> dict[str, str]:
    """Return this process's environment without variables that point to localfn's packages."""
    leading = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in leading}


def versions() -> dict[str, str]:
    """Return the versions of the peers and their drivers. Raises ClickException if their environment is missing."""
    if not PYTHON.exists():
        raise click.ClickException(f"{PYTHON} is missing: run `./dev bench peers`, which makes it.")
    found: dict[str, str] = json.loads(
        answer(Command((str(PYTHON), "-m", CLIENT, "versions", *DISTRIBUTIONS), environment()), CLIENT_LIMIT_S)
    )
    return found
