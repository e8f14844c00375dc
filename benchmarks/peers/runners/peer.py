"""The contestants in the peers' environment."""

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


class Peer:
    """A contestant that is driven through the client, in the environment that both need. way: of durable.WAYS."""

    def __init__(self, setup: Setup, servers: Servers, folder: Path, way: str) -> None:
        self.name, self.kind, self.told, self.share = setup.name, setup.kind, setup.told, setup.share
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
        told = {DATABASE_URL: self._servers.database_url, REDIS_URL: self._servers.redis_url, WAY: self._way}
        return Command((str(PYTHON), *words), environment() | told)


def environment() -> dict[str, str]:
    """Ours, without what would lead a peer's process to our packages."""
    leading = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in leading}


def versions() -> dict[str, str]:
    """Of the peers and their drivers. Raises ClickException when their environment is not there."""
    if not PYTHON.exists():
        raise click.ClickException(f"{PYTHON} is missing: `./dev bench peers` makes that environment.")
    found: dict[str, str] = json.loads(
        answer(Command((str(PYTHON), "-m", CLIENT, "versions", *DISTRIBUTIONS), environment()), CLIENT_LIMIT_S)
    )
    return found
