"""Measure hundreds of requests at the same time: their start, memory and connections, the loss of the worker."""

import time
from pathlib import Path

import click
import httpx
import psutil

from benchmarks import stack, usage
from benchmarks.recovery import wait_for, workers
from infra.config.database_url import DRIVER
from infra.embedded.postgres import Postgres

HOLD_S = 240
WATCH_S = 10.0
LIMIT_S = 60.0


@click.command("many")
@click.option("--count", "counts", default=(20, 100, 200, 500), show_default=True, multiple=True)
@click.option("--passes", default=3, show_default=True, help="Stacks to start for each count.")
def command(counts: tuple[int, ...], passes: int) -> None:
    """Submit COUNT sleeping functions to a fresh stack; once all run, kill the worker."""
    for count in counts:
        for _ in range(passes):
            with stack.folder() as folder, stack.up(folder, {"LOCALFN_CONCURRENCY": str(count)}) as running:
                click.echo(f"{count} at once: {measure_pass(folder, running, count)}")


def measure_pass(folder: Path, running: stack.Stack, count: int) -> str:
    marks = folder / "marks"
    marks.mkdir()
    for each in (folder, marks):
        each.chmod(0o777)  # sandboxes may run as another account
    with httpx.Client(base_url=running.url, timeout=LIMIT_S) as client:
        events = [{"folder": str(marks), "n": n, "seconds": HOLD_S} for n in range(count)]
        client.post("/api/functions/mark/batch", json=events).raise_for_status()
        took_s = wait_for_marks(marks, count)
        names = {each["pid"]: "worker" for each in client.get("/api/workers").json()["items"]}
        found = workers(running.pid)
        memory = [f"{names.get(each.pid, 'housekeeper')} {usage.own_memory_mb(each.pid):.0f}" for each in found]
        sandboxes_mb = sum(usage.own_memory_mb(pid) for pid in sandboxes(found))
        pids = [each.pid for each in found]
        used_s = usage.processor_s(pids)
        time.sleep(WATCH_S)
        asleep_percent = (usage.processor_s(pids) - used_s) / WATCH_S * 100
        database_url = Postgres(folder / "home").url.replace(DRIVER, "postgresql://", 1)
        text = (
            f"all running after {took_s:.2f} s; memory in MB: {', '.join(memory)}, sandboxes {sandboxes_mb:.0f}; "
            f"while all sleep {asleep_percent:.1f} % of a core; "
            f"connections of the whole stack: {usage.connections(database_url)}"
        )
        for path in marks.iterdir():
            path.unlink()
        next(each for each in found if each.pid in names).kill()
        return f"{text}; worker killed: all running again after {wait_for_marks(marks, count):.2f} s"


def wait_for_marks(marks: Path, count: int) -> float:
    """Return the seconds until all requests have started."""
    started_at = time.monotonic()
    wait_for(lambda: len(list(marks.iterdir())) == count)
    return time.monotonic() - started_at


def sandboxes(found: list[psutil.Process]) -> list[int]:
    return [child.pid for each in found for child in each.children(recursive=True) if child not in found]
