"""Measure schedules: lateness of ticks, a thousand due at once, and the cost of ten thousand that are not due."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import psutil
from sqlalchemy import Engine, text

from benchmarks import stack
from infra.embedded.service_lookup import find_running_services
from schema.engine import make_engine

PUNCTUAL, TOGETHER, RESTING = 5, 1_000, 10_000
LIMIT_S = 120.0

LATE = """
    SELECT extract(epoch FROM started_at - scheduled_for) FROM processing_request
    WHERE schedule LIKE :like AND started_at IS NOT NULL
"""


@click.command("schedules")
@click.option("--seconds", default=60, show_default=True, help="Duration of each of two measurements.")
def command(seconds: int) -> None:
    """Measure lateness, a thousand ticks at once, and the scheduler's CPU with ten thousand schedules not due."""
    with stack.folder() as folder, stack.up(folder) as running:
        engine = make_engine(database_url(folder / "home"), pool_size=2)
        punctual(engine, seconds)
        together(engine)
        resting(engine, running.pid, seconds)
        engine.dispose()


def database_url(home: Path) -> str:
    url = find_running_services(home).database_url
    assert url is not None
    return url


def punctual(engine: Engine, seconds: int) -> None:
    """Measure until the start of the first attempt; `created_at` would leave out the commit."""
    put(engine, "tick", "rate(1 second)", PUNCTUAL)
    time.sleep(seconds)
    forget(engine)
    late_s = lateness(engine, "tick%")
    p99 = late_s[int(len(late_s) * 0.99)]
    line = f"p50 {ms(late_s[len(late_s) // 2])}, p99 {ms(p99)}, worst {ms(late_s[-1])}"
    click.echo(f"{len(late_s)} ticks at idle, from their time to the start in a worker: {line}")


def together(engine: Engine) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15)
    put(engine, "crowd", moment.strftime("at(%Y-%m-%dT%H:%M:%S)"), TOGETHER)
    requests = "SELECT count(*) FROM processing_request WHERE schedule LIKE 'crowd%'"
    stored_at = wait_for(engine, requests, TOGETHER)
    ended_at = wait_for(engine, f"{requests} AND status = 'completed'", TOGETHER)
    forget(engine)
    stored_s, ended_s = ((at - moment).total_seconds() for at in (stored_at, ended_at))
    click.echo(f"{TOGETHER} due at once: all are requests after {stored_s:.1f} s, all have run after {ended_s:.1f} s")


def resting(engine: Engine, pid: int, seconds: int) -> None:
    put(engine, "rest", "@yearly", RESTING)
    wait_for(engine, "SELECT count(*) FROM schedule WHERE edited_at IS NULL", RESTING)
    time.sleep(10)  # rq-scheduler's copy is complete, and the disk is idle
    processes = {"scheduler": [scheduler(pid)], "PostgreSQL": postgres(pid)}
    before = {name: cpu_s(found) for name, found in processes.items()}
    time.sleep(seconds)
    shares = [f"{name} {100 * (cpu_s(found) - before[name]) / seconds:.1f} %" for name, found in processes.items()]
    click.echo(f"{RESTING} schedules, nothing due, of one core: {', '.join(shares)}")


def put(engine: Engine, name: str, expression: str, count: int) -> None:
    statement = text(
        "INSERT INTO schedule (name, function, expression)"
        " SELECT :name || n, 'noop', :expression FROM generate_series(1, :count) n"
    )
    with engine.begin() as connection:
        connection.execute(statement, {"name": name, "expression": expression, "count": count})


def forget(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM schedule"))


def lateness(engine: Engine, like: str) -> list[float]:
    """Return the seconds from each tick's time to the start of its request, ascending."""
    with engine.connect() as connection:
        return sorted(float(late) for late in connection.execute(text(LATE), {"like": like}).scalars())


def wait_for(engine: Engine, question: str, count: int) -> datetime:
    """Wait until the query returns `count`; return the time of this machine, which runs the database, too."""
    ends_at = time.monotonic() + LIMIT_S
    while True:
        with engine.connect() as connection:
            if connection.execute(text(question)).scalar_one() >= count:
                return datetime.now(UTC)
        assert time.monotonic() < ends_at, f"fewer than {count} within {LIMIT_S:g} s: {question}"
        time.sleep(0.05)


def scheduler(pid: int) -> psutil.Process:
    return next(child for child in psutil.Process(pid).children() if child.cmdline()[-1:] == ["scheduler"])


def postgres(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children(recursive=True) if child.name().startswith("postgres")]


def cpu_s(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes if process.is_running()]
    return float(sum(time.user + time.system for time in times))


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
