"""Measure twenty parallel functions of one second: on a freshly started stack, and again when it is warm."""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import click

from benchmarks import client, stack

SECONDS = 1.0


@click.command("parallel")
@click.option("--count", default=20, show_default=True, help="Requests at the same time.")
@click.option("--passes", default=5, show_default=True, help="Stacks to start.")
def command(count: int, passes: int) -> None:
    """Measure from the first POST until each client has its result."""
    fresh, warm = [], []
    with stack.folder() as folder:
        for _ in range(passes):
            with stack.up(folder) as running:
                fresh.append(together(running.url, count))
                warm.append(together(running.url, count))
    for name, durations in (("fresh", fresh), ("warm", warm)):
        text = ", ".join(f"{seconds:.2f}" for seconds in durations)
        click.echo(f"{count} × {SECONDS:g} s, {name}: median {statistics.median(durations):.2f} s ({text})")


def together(url: str, count: int) -> float:
    connections = [client.Connection(url) for _ in range(count)]
    with ThreadPoolExecutor(count) as clients:
        started_at = time.perf_counter()
        statuses = list(clients.map(call, connections))
        took_s = time.perf_counter() - started_at
    assert statuses == ["completed"] * count, statuses
    return took_s


def call(connection: client.Connection) -> str:
    body = json.dumps({"seconds": SECONDS}).encode()
    headers = "Content-Type: application/json\r\nPrefer: wait=30\r\n"
    _, answer = connection.request("POST", "/api/functions/hold", body, headers)
    connection.close()
    return str(json.loads(answer)["status"])
