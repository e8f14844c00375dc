"""Compare the cost of each operation with a thousand and with a million finished requests in the table."""

import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
from redis import Redis
from sqlalchemy import Engine, text

from infra.embedded.postgres import Postgres
from infra.embedded.redis import Redis as EmbeddedRedis
from schema.engine import make_engine
from schema.migrate import upgrade
from workqueue import lifecycle
from workqueue.clock import Clock
from workqueue.functions.registry import FunctionSpec
from workqueue.lifecycle import AttemptRecord, Completion
from workqueue.maintenance.reconciler import LOST_BELL_S
from workqueue.requests import queries, search
from workqueue.requests.search import Filter
from workqueue.submit import Submission, submit
from workqueue.transport.doorbell import Doorbell

FUNCTION = FunctionSpec(
    name="noop", unit="measured", root=None, module="measured", source_file="measured.py", source_line=1,
    description="", queue="default", timeout_s=60, max_attempts=1, memory_mb=64, retry_delay_s=2,
    retry_max_delay_s=300, on_lost="rerun", environment={}, input_schema=None, schema_checked_outside=False,
    has_cleanup=False,
)  # fmt: skip
BATCH_SIZE = 16
FILL_CHUNK = 50_000  # requests; a longer statement would count as an outage
FILL = text(
    """
    INSERT INTO processing_request (id, function, status, event, attempt, max_attempts, on_lost, job_id, queue,
        created_at, available_at, started_at, finished_at, worker, outcome, phases, result)
    SELECT uuidv7(t - now()), 'noop', 'completed', '{}', 1, 1, 'rerun', '', 'default', t, t, t, t, 'w-1', 'completed',
        '[["process",1796093784123456,417,"ok"]]', '{}'
    FROM generate_series(CAST(:first AS int), :last) AS n, LATERAL (SELECT now() - n * interval '1 second' AS t) AS at
    """
)


@click.command("flat")
@click.option("--few", default=1_000, show_default=True)
@click.option("--many", default=1_000_000, show_default=True)
@click.option("--passes", default=5, show_default=True)
def command(few: int, many: int, passes: int) -> None:
    """Measure submit, claim and finish, list and status in one process, alternating between the two tables."""
    with servers() as (postgres, redis_url):
        made = [Subject(postgres, redis_url, f"with_{count}", count) for count in (few, many)]
        durations: list[dict[str, list[float]]] = [{}, {}]
        for _ in range(passes):
            for subject, figures in zip(made, durations, strict=True):
                for name, seconds in subject.measure():
                    figures.setdefault(name, []).append(seconds)
        for name in durations[0]:
            before, after = (statistics.median(figures[name]) * 1e6 for figures in durations)
            line = f"{few:,} rows {before:7.0f} µs, {many:,} rows {after:7.0f} µs"
            click.echo(f"{name:24} {line}: {before / after:.2f} × the speed")


@contextmanager
def servers() -> Iterator[tuple[Postgres, str]]:
    """Run an embedded PostgreSQL and Redis with the durability of `localfn up`."""
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as name:
        services = (Postgres(Path(name)), EmbeddedRedis(Path(name)))
        running = []
        try:
            for service in services:
                service.prepare()
                running.append(
                    subprocess.Popen(service.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                )
                while not service.is_ready():
                    time.sleep(0.02)
            yield services[0], services[1].url
        finally:
            for process in running:
                process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown; SIGTERM waits for its clients
            for process in running:
                process.wait()


class Subject:
    """Hold a database with `count` finished requests."""

    def __init__(self, postgres: Postgres, redis_url: str, name: str, count: int) -> None:
        admin = make_engine(postgres.url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        self.url = postgres.url.replace("/postgres?", f"/{name}?")
        upgrade(self.url)
        self.engine, self.worker_engine = make_engine(self.url), make_engine(self.url, prefer_index_scans=True)
        self.doorbell, self.clock = Doorbell(Redis.from_url(redis_url)), Clock()
        for first in range(1, count + 1, FILL_CHUNK):
            with self.engine.begin() as connection:
                connection.execute(FILL, {"first": first, "last": min(first + FILL_CHUNK - 1, count)})
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))

    def measure(self, repeats: int = 200) -> Iterator[tuple[str, float]]:
        """Yield each operation with its mean duration in seconds over `repeats` calls."""
        ids: list[Any] = []
        yield "submit", each(lambda: ids.extend(self.submit(1)), repeats)
        yield "submit a batch of 100", each(lambda: ids.extend(self.submit(100)), repeats // 10)
        batches = [ids[first : first + BATCH_SIZE] for first in range(0, len(ids) - BATCH_SIZE, BATCH_SIZE)]
        work = partial(work_off, self.worker_engine, self.clock)
        yield f"claim and finish {BATCH_SIZE}", each(lambda: work(batches.pop()), len(batches))
        yield "status", each(lambda: queries.find_request(self.engine, ids[0]), repeats)
        yield "list", each(lambda: search.list_page(self.engine, Filter()), repeats)
        function = Filter(function="noop")
        yield "list of a function", each(lambda: search.list_page(self.engine, function), repeats)
        nowhere = Filter(text="nothing has this text")
        yield "search without a match", each(lambda: search.list_page(self.engine, nowhere), repeats // 20)
        yield "reconciler's queries", each(self.run_reconciler_queries, repeats)

    def submit(self, count: int) -> tuple[Any, ...]:
        return submit(self.engine, self.doorbell, self.clock, Submission(FUNCTION, [{"n": 1}] * count)).ids

    def run_reconciler_queries(self) -> None:
        now = self.clock.now()
        lifecycle.expire_leases(self.engine, now)
        lifecycle.find_unqueued(self.engine, now)
        lifecycle.find_stale_queued(self.engine, now - timedelta(seconds=LOST_BELL_S))


def work_off(engine: Engine, clock: Clock, ids: list[Any]) -> None:
    claims = lifecycle.claim(engine, ids, "w-1", clock.now(), 8)
    assert len(claims) == len(ids)
    completions = [Completion(claim, '{"n":1}', (), AttemptRecord()) for claim in claims]
    assert not lifecycle.finish(engine, completions, clock.now())


def each(call: Callable[[], object], repeats: int) -> float:
    started_at = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started_at) / repeats
