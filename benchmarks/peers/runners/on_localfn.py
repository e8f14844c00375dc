"""Run localfn as a contestant: `localfn worker`, `localfn scheduler`, and `submit` as the client."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from redis import Redis

from benchmarks.peers import idle, processes
from benchmarks.peers.contestant import Kind
from benchmarks.peers.processes import Command
from benchmarks.peers.report.measured import FUNCTIONS as MEASURED
from benchmarks.peers.report.measured import LINES, LONG_NAP_S, NAP_S
from benchmarks.peers.report.rows import OURS, Rows
from benchmarks.peers.servers import Servers
from infra.config.database_url import normalise
from schema.engine import make_engine
from workqueue.clock import Clock
from workqueue.functions import registry
from workqueue.submit import Submission, submit
from workqueue.transport.doorbell import Doorbell

FUNCTIONS = f"""
import time

from localfn import function


@function
def noop(event, context):
    return event


@function
def nap(event, context):
    time.sleep({NAP_S})
    return event


@function
def long_nap(event, context):
    time.sleep({LONG_NAP_S})
    return event


@function
def say(event, context):
    for number in range({LINES}):
        print(f"line {{number}} of {{event}}")
    return event
"""
BATCH = 1_000
INIT_LIMIT_S = 120


class LocalfnContestant:
    """Run a worker pool and a scheduler with all settings at their defaults."""

    name = "localfn"
    kind: Kind = "ours"
    description = (
        "localfn worker and localfn scheduler, all at its default: one worker process on these cores, at most 20 "
        "requests at the same time; functions run in sandboxes, whose cold start is within the clock"
    )
    share = 1.0

    def __init__(self, servers: Servers, folder: Path) -> None:
        """Run `localfn init`. Raises ClickException if it fails."""
        self.log = folder / "localfn.log"
        self._servers = servers
        functions = folder / "functions"
        functions.mkdir()
        (functions / "measured.py").write_text(FUNCTIONS)
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("LOCALFN_")} | {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "RQ_REDIS_URL": servers.redis_url,
            "LOCALFN_HOME": str(folder / "home"),
            "LOCALFN_FUNCTIONS": str(functions),
        }
        processes.answer(self._command("init"), INIT_LIMIT_S)
        self._engine, self._clock = make_engine(normalise(servers.database_url)), Clock()
        self._doorbell = Doorbell(Redis.from_url(servers.redis_url))
        self._known = {name: registry.find(self._engine, name) for name in MEASURED}

    def commands(self) -> Sequence[Command]:
        return [self._command("worker"), self._command("scheduler")]

    def rows(self) -> Rows:
        return Rows(self._servers.database_url, OURS)

    def fill(self, function: str, count: int) -> None:
        for first in range(0, count, BATCH):
            self._submit(function, range(first, min(first + BATCH, count)))

    def latencies_ms(self, function: str, count: int) -> list[float]:
        rows = self.rows()
        try:
            return idle.measure(lambda number: self._submit(function, [number]), rows, count)
        finally:
            rows.close()

    def _submit(self, function: str, numbers: Sequence[int]) -> str:
        submission = Submission(self._known[function], [{"n": number} for number in numbers])
        return str(submit(self._engine, self._doorbell, self._clock, submission).ids[0])

    def _command(self, name: str) -> Command:
        # Not in the checkout: its .env would change the settings.
        return Command((sys.executable, "-P", "-m", "localfn_runtime", name), self._env, self.log.parent)
