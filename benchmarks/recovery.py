"""Measure the time from the kill of a worker to the next attempt of its request, with the default lease."""

import statistics
import time
from datetime import UTC, datetime
from typing import Any

import click
import httpx
import psutil

from benchmarks import stack

HOLD_S = 2.0
LIMIT_S = 60.0


@click.command("recovery")
@click.option("--passes", default=5, show_default=True)
def command(passes: int) -> None:
    """Send SIGKILL to all worker processes in the middle of a request."""
    with stack.folder() as folder, stack.up(folder) as running, httpx.Client(base_url=running.url) as client:
        waited = [measure_pass(client, running.pid) for _ in range(passes)]
    text = ", ".join(f"{seconds:.1f}" for seconds in waited)
    click.echo(f"next attempt after {text} s; median {statistics.median(waited):.1f} s, worst {max(waited):.1f} s")


def measure_pass(client: httpx.Client, pid: int) -> float:
    """Return the seconds from the kill to the start of attempt 2."""
    request = client.post("/api/functions/hold", json={"seconds": HOLD_S}).json()
    link = request["links"]["attempts"]
    wait_for(lambda: client.get(request["links"]["self"]).json()["phase"] == "process")
    killed_at = datetime.now(UTC)
    for worker in workers(pid):
        worker.kill()
    attempts: list[dict[str, Any]] = wait_for(lambda: second(client.get(link).json()["items"]))
    wait_for(lambda: client.get(request["links"]["self"]).json()["status"] == "completed")
    return (datetime.fromisoformat(attempts[1]["started_at"]) - killed_at).total_seconds()


def second(attempts: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return attempts if len(attempts) > 1 else None


def workers(pid: int) -> list[psutil.Process]:
    """Return the worker processes, the housekeeper among them; the pool restarts all of them."""
    pool = next(child for child in psutil.Process(pid).children() if child.cmdline()[-1] == "worker")
    return [child for child in pool.children() if child.cmdline() == pool.cmdline()]


def wait_for(ask: Any) -> Any:
    ends_at = time.monotonic() + LIMIT_S
    while not (answer := ask()):
        assert time.monotonic() < ends_at, f"no answer within {LIMIT_S:g} s"
        time.sleep(0.02)
    return answer
