"""Measure a request from the POST to its end, on an idle machine, with a warm sandbox."""

import json
import statistics
import time
from datetime import datetime

import click

from benchmarks import client, stack

WARM_UP = 30
HEADERS = "Content-Type: application/json\r\nPrefer: wait=10\r\n"


@click.command("latency")
@click.option("--count", default=200, show_default=True, help="Requests, one after another.")
@click.option("--passes", default=5, show_default=True)
def command(count: int, passes: int) -> None:
    """Send POSTs with Prefer: wait, one request at a time."""
    medians = []
    with stack.folder() as folder, stack.up(folder) as running:
        connection = client.Connection(running.url)
        for _ in range(WARM_UP):
            call(connection)
        for number in range(passes):
            seen, stored = zip(*(call(connection) for _ in range(count)), strict=True)
            medians.append(statistics.median(seen))
            click.echo(
                f"pass {number + 1}: for the client {format_percentiles(seen)}; by the row {format_percentiles(stored)}"
            )
        connection.close()
    click.echo(f"for the client, median of the passes: {statistics.median(medians):.1f} ms")


def call(connection: client.Connection) -> tuple[float, float]:
    """Send one request; return its milliseconds for the client, and those from created_at to finished_at."""
    started_at = time.perf_counter()
    _, answer = connection.request("POST", "/api/functions/noop", b'{"n":1}', HEADERS)
    took_ms = (time.perf_counter() - started_at) * 1000
    body = json.loads(answer)
    assert body["status"] == "completed", body
    stored = datetime.fromisoformat(body["finished_at"]) - datetime.fromisoformat(body["created_at"])
    return took_ms, stored.total_seconds() * 1000


def format_percentiles(figures: tuple[float, ...]) -> str:
    hundredths = statistics.quantiles(figures, n=100)
    return f"p50 {hundredths[49]:.1f} ms, p95 {hundredths[94]:.1f} ms, p99 {hundredths[98]:.1f} ms"
