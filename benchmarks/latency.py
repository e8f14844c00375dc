"""How long a request takes from the POST to its end, on an idle machine, with a warm sandbox."""

import statistics
import time
from datetime import datetime

import click
import httpx

from benchmarks import stack

WARM_UP = 20


@click.command("latency")
@click.option("--count", default=120, show_default=True, help="Requests, one after another.")
@click.option("--passes", default=3, show_default=True)
def command(count: int, passes: int) -> None:
    """POST with Prefer: wait, one request at a time."""
    with stack.folder() as folder, stack.up(folder) as running, httpx.Client(base_url=running.url) as client:
        for _ in range(WARM_UP):
            call(client)
        for number in range(passes):
            seen, stored = zip(*(call(client) for _ in range(count)), strict=True)
            click.echo(f"pass {number + 1}: seen by the client {told(seen)}; by the row's times {told(stored)}")


def call(client: httpx.Client) -> tuple[float, float]:
    """One request: milliseconds as the client sees them, and from created_at to finished_at."""
    began = time.perf_counter()
    body = client.post("/api/functions/noop", json={"n": 1}, headers={"Prefer": "wait=10"}).json()
    took_ms = (time.perf_counter() - began) * 1000
    assert body["status"] == "completed", body
    stored = datetime.fromisoformat(body["finished_at"]) - datetime.fromisoformat(body["created_at"])
    return took_ms, stored.total_seconds() * 1000


def told(figures: tuple[float, ...]) -> str:
    ordered = sorted(figures)
    return f"p50 {statistics.median(ordered):.1f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.1f} ms"
