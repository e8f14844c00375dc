"""How long twenty functions of one second take together: from a freshly started stack, and again when it is warm."""

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
    """From the first POST until all have answered, each client waiting for its own."""
    fresh, warm = [], []
    with stack.folder() as folder:
        for _ in range(passes):
            with stack.up(folder) as running:
                fresh.append(together(running.url, count))
                warm.append(together(running.url, count))
    for name, took in (("fresh", fresh), ("warm", warm)):
        told = ", ".join(f"{seconds:.2f}" for seconds in took)
        click.echo(f"{count} × {SECONDS:g} s, {name}: median {statistics.median(took):.2f} s ({told})")


def together(url: str, count: int) -> float:
    connections = [client.Connection(url) for _ in range(count)]
    with ThreadPoolExecutor(count) as clients:
        began = time.perf_counter()
        statuses = list(clients.map(call, connections))
        took_s = time.perf_counter() - began
    assert statuses == ["completed"] * count, statuses
    return took_s


def call(connection: client.Connection) -> str:
    body = json.dumps({"seconds": SECONDS}).encode()
    headers = "Content-Type: application/json\r\nPrefer: wait=30\r\n"
    _, answer = connection.request("POST", "/api/functions/hold", body, headers)
    connection.close()
    return str(json.loads(answer)["status"])
