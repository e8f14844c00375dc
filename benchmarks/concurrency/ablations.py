"""Measure each adaptive part of a worker by leaving it out: what it brings for short functions.

A part is replaced in every process of a stack, by a module that Python imports at its start.
"""

import os
import statistics
import tempfile
from pathlib import Path

import click
import httpx
import psycopg

from benchmarks import stack, usage
from infra.config.database_url import DRIVER
from infra.embedded.postgres import Postgres

PARTS = {
    "nothing": "",
    "look-ahead": "sizing.room_ahead = lambda load, queued: 0",
    "claims ahead": "sizing.claim_count = lambda duration_s, free_slots, active, held: max(0, free_slots)",
    "both": "sizing.room_ahead = lambda load, queued: 0\n"
    "sizing.claim_count = lambda duration_s, free_slots, active, held: max(0, free_slots)",
    "sandboxes per function": "sizing.sandboxes_wanted = lambda load, slots, cores: slots",
}
SECONDS = {"no-op": 0.0, "1 ms": 0.001, "10 ms": 0.01}
WARM_UP = 500
TIMES = """
    SELECT extract(epoch FROM max(finished_at) - min(started_at))
    FROM (SELECT started_at, finished_at FROM processing_request ORDER BY id DESC LIMIT %s) AS newest
"""


@click.command("ablations")
@click.option("--requests", default=5_000, show_default=True, help="In a drain; a fifth of it for 10 ms.")
@click.option("--passes", default=3, show_default=True)
def command(requests: int, passes: int) -> None:
    """Drain short functions with and without each adaptive part."""
    figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(passes):
        for part, patch in PARTS.items():
            for function, figure in measure_pass(patch, requests).items():
                figures.setdefault((part, function), []).append(figure)
    for (part, function), found in figures.items():
        rate, cpu_us = (statistics.median(values) for values in zip(*found, strict=True))
        click.echo(f"without {part:<23} {function:<6} {rate:7,.0f}/s  {cpu_us:6,.0f} µs of processor time a request")


def measure_pass(patch: str, requests: int) -> dict[str, tuple[float, float]]:
    """Return the requests a second and the processor time of a request, of all processes, by function."""
    with tempfile.TemporaryDirectory(prefix="lf-") as modules, stack.folder() as folder:
        Path(modules, "sitecustomize.py").write_text(f"from workqueue.invocation import sizing\n{patch}\n")
        paths = os.pathsep.join(filter(None, (modules, os.environ.get("PYTHONPATH"))))
        with stack.up(folder, {"PYTHONPATH": paths}) as running, httpx.Client(base_url=running.url) as client:
            return {
                name: drain(client, running, folder / "home", seconds, requests // 5 if seconds >= 0.01 else requests)
                for name, seconds in SECONDS.items()
            }


def drain(client: httpx.Client, running: stack.Stack, home: Path, seconds: float, count: int) -> tuple[float, float]:
    for number in (WARM_UP, count):  # a worker learns the duration of a function
        before_s = usage.processor_s([running.pid])
        events = [{"seconds": seconds}] * number
        client.post("/api/functions/hold/batch", json=events, timeout=60).raise_for_status()
        stack.wait_until_idle(running.url)
    cpu_us = (usage.processor_s([running.pid]) - before_s) / count * 1e6
    with psycopg.connect(Postgres(home).url.replace(DRIVER, "postgresql://", 1)) as connection:
        row = connection.execute(TIMES, [count]).fetchone()
    assert row is not None
    return count / float(row[0]), cpu_us
