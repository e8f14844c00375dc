"""Measure what each operation on the rows of a request costs PostgreSQL: processor time, WAL, and room on the disk."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine, text
from uuid_utils.compat import uuid7

from benchmarks.tables.flat import FUNCTION, Subject, servers
from schema.engine import autocommit, make_engine
from schema.statuses import Phase
from workqueue import lifecycle
from workqueue.lifecycle import AttemptRecord, Claim, Completion, NewRequest, PhaseRecord

WORKER = "localfn-worker.4f1c2a9b7d3e4c5f"
EVENT, RESULT = {"order": 1849263518, "lines": [1, 2, 3]}, '{"total":17,"currency":"EUR"}'
# Room that an update frees is used again after a VACUUM, so the figures are of finished requests.
SIZES = text(
    "SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)
WAL_POSITION = text("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
WARM_UP_BATCHES = 12  # PostgreSQL plans a prepared statement anew for its first executions


@dataclass(slots=True)
class Cost:
    """Hold what one operation cost a request, in each of its calls."""

    cpu_us: list[float] = field(default_factory=list)
    wal_bytes: list[float] = field(default_factory=list)

    def describe(self) -> str:
        return f"{statistics.median(self.cpu_us):7.1f} µs {statistics.mean(self.wal_bytes):7,.0f} B of WAL"


class Meter:
    """Run the operations in one connection, and read the cost of each from its backend."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with engine.connect() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        self._schedstat = Path(f"/proc/{pid}/schedstat")
        self.costs: dict[str, Cost] = {}

    def measure(self, name: str, count: int, call: Callable[[], Any]) -> Any:
        """Call an operation on `count` requests, and add its cost."""
        wal, cpu_ns = self._wal_position(), self._cpu_ns()
        answer = call()
        cpu_ns = self._cpu_ns() - cpu_ns
        cost = self.costs.setdefault(name, Cost())
        cost.cpu_us.append(cpu_ns / 1000 / count)
        cost.wal_bytes.append((self._wal_position() - wal) / count)
        return answer

    def _cpu_ns(self) -> int:
        return int(self._schedstat.read_text().split()[0])

    def _wal_position(self) -> int:
        # Not in a transaction: psycopg forgets its prepared statements at a rollback.
        with autocommit(self.engine) as connection:
            return int(connection.execute(WAL_POSITION).scalar_one())


@click.command("rows")
@click.option("--few", default=1_000, show_default=True, help="Finished requests in the first table.")
@click.option("--many", default=1_000_000, show_default=True, help="Finished requests in the second table.")
@click.option("--running", default=0, show_default=True, help="Requests of other workers that are processing.")
@click.option("--requests", "count", default=6_400, show_default=True, help="Requests measured in batches of 32.")
def command(few: int, many: int, running: int, count: int) -> None:
    """Measure accept, claim and finish of a request: backend processor time, WAL bytes, table and index bytes."""
    if not Path("/proc/self/schedstat").exists():
        raise click.ClickException("This benchmark reads /proc/PID/schedstat, which this system lacks.")
    with servers() as (postgres, redis_url):
        for finished in (few, many):
            subject = Subject(postgres, redis_url, f"with_{finished}", finished)
            report(subject, finished, running, count)


def report(subject: Subject, finished: int, running: int, count: int) -> None:
    """Print the costs with one table, for batches of 1 and of 32."""
    # The connection of a worker, and the only one: its backend does all that is measured.
    engine = make_engine(subject.url, pool_size=1, max_overflow=0, prefer_index_scans=True)
    occupy(engine, running)
    for size in (1, 32):
        for _ in range(WARM_UP_BATCHES):
            run_batch(Meter(engine), size)
        before, meter = read_sizes(engine), Meter(engine)
        batches = max(count // 32, 50)
        for _ in range(batches):
            run_batch(meter, size)
        after = read_sizes(engine)
        for name, cost in meter.costs.items():
            click.echo(f"{finished:>9,} finished, {running} running, batches of {size:2}: {name:8} {cost.describe()}")
        table, indexes = ((new - old) / (batches * size) for new, old in zip(after, before, strict=True))
        claimed = sum(statistics.median(meter.costs[name].cpu_us) for name in ("claim", "finish"))
        wal = sum(statistics.mean(meter.costs[name].wal_bytes) for name in ("claim", "finish"))
        click.echo(f"{'':9} claim + finish {claimed:.0f} µs, {wal:,.0f} B of WAL; room {table:,.0f} + {indexes:,.0f} B")
    engine.dispose()


def run_batch(meter: Meter, size: int) -> None:
    """Accept, claim and finish `size` requests in one call each."""
    requests = new_requests(size)
    meter.measure("accept", size, lambda: accept(meter.engine, requests))
    ids = [request.id for request in requests]
    claims = meter.measure("claim", size, lambda: lifecycle.claim(meter.engine, ids, WORKER, now(), 8))
    completions = [Completion(claim, RESULT, (), record(claim)) for claim in claims]
    rejected = meter.measure("finish", size, lambda: lifecycle.finish(meter.engine, completions, now()))
    assert len(claims) == size
    assert not rejected


def new_requests(count: int) -> list[NewRequest]:
    return [NewRequest(uuid7(), FUNCTION, EVENT, "default", now(), now()) for _ in range(count)]


def accept(engine: Engine, requests: Sequence[NewRequest]) -> None:
    with engine.begin() as connection:
        lifecycle.accept(connection, requests)


def occupy(engine: Engine, count: int) -> None:
    """Let another worker hold `count` requests."""
    requests = new_requests(count)
    if requests:
        accept(engine, requests)
        lifecycle.claim(engine, [request.id for request in requests], "another", now(), 3600)


def record(claim: Claim) -> AttemptRecord:
    """Return the record of an attempt that completed, with the values of a usual one."""
    claimed_us = round(claim.claimed_at.timestamp() * 1_000_000)
    phases = [PhaseRecord(name, claimed_us + 417 * at, 417, "ok") for at, name in enumerate(Phase)]
    return AttemptRecord(phases=phases, cold_start=False, max_rss_mb=21.4)


def read_sizes(engine: Engine) -> tuple[int, int]:
    with autocommit(engine) as connection:
        connection.execute(text("VACUUM"))
        table, indexes = connection.execute(SIZES).one()
    return int(table), int(indexes)


def now() -> datetime:
    return datetime.now().astimezone()
