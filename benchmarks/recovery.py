"""How long a request waits for its next attempt after its worker was killed, with the default lease."""

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
    """SIGKILL to every worker of the pool in the middle of a request."""
    with stack.folder() as folder, stack.up(folder) as running, httpx.Client(base_url=running.url) as client:
        waited = [one(client, running.pid) for _ in range(passes)]
    told = ", ".join(f"{seconds:.1f}" for seconds in waited)
    click.echo(f"next attempt after {told} s; median {statistics.median(waited):.1f} s, worst {max(waited):.1f} s")


def one(client: httpx.Client, pid: int) -> float:
    """Seconds from the kill to the start of attempt 2."""
    request = client.post("/api/functions/hold", json={"seconds": HOLD_S}).json()
    link = request["links"]["attempts"]
    until(lambda: client.get(request["links"]["self"]).json()["phase"] == "process")
    killed_at = datetime.now(UTC)
    for worker in workers(pid):
        worker.kill()
    attempts: list[dict[str, Any]] = until(lambda: second(client.get(link).json()["items"]))
    return (datetime.fromisoformat(attempts[1]["started_at"]) - killed_at).total_seconds()


def second(attempts: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return attempts if len(attempts) > 1 else None


def workers(pid: int) -> list[psutil.Process]:
    """The pool's forked children; the scout is among them, and is started again like they are."""
    pool = next(child for child in psutil.Process(pid).children() if child.cmdline()[-1] == "worker")
    return [child for child in pool.children() if child.cmdline() == pool.cmdline()]


def until(ask: Any) -> Any:
    ends_at = time.monotonic() + LIMIT_S
    while not (answer := ask()):
        assert time.monotonic() < ends_at, "it took too long"
        time.sleep(0.02)
    return answer
