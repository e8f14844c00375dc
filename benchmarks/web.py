"""Measure the HTTP edge: submits, polls and batched events per second."""

import json
import statistics

import click

from benchmarks import client, stack

JSON = "Content-Type: application/json\r\n"
EVENT = b'{"n":1}'


@click.command("web")
@click.option("--clients", default=16, show_default=True)
@click.option("--seconds", default=3.0, show_default=True, help="For each case in each pass.")
@click.option("--passes", default=5, show_default=True)
@click.option("--batch", default=1_000, show_default=True, help="Events in a batch.")
def command(clients: int, seconds: float, passes: int, batch: int) -> None:
    """Measure submits, polls and batches; workers run the requests meanwhile, on the same processors."""
    events = json.dumps([{"n": number} for number in range(batch)]).encode()
    figures: dict[str, list[float]] = {}
    with stack.folder() as folder, stack.up(folder) as running:
        known = finished(running.url)
        cases = {
            "submits/s": (client.post("/api/functions/noop", EVENT), clients, 1),
            "polls/s": (client.get(f"/api/requests/{known}"), clients, 1),
            "batch events/s": (client.post("/api/functions/noop/batch", events), 2, batch),
        }
        for _ in range(passes):
            for name, (call, count, events_each) in cases.items():
                figures.setdefault(name, []).append(client.rate(running.url, call, count, seconds) * events_each)
                stack.wait_until_idle(running.url)
    for name, rates in figures.items():
        text = ", ".join(f"{rate:,.0f}" for rate in rates)
        click.echo(f"{name:16} median {statistics.median(rates):,.0f} ({text})")


def finished(url: str) -> str:
    """Run a request; return its id when it has ended."""
    connection = client.Connection(url)
    _, answer = connection.request("POST", "/api/functions/noop", EVENT, f"{JSON}Prefer: wait=10\r\n")
    connection.close()
    return str(json.loads(answer)["id"])
