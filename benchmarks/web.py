"""Measure the HTTP edge: submits, polls and batched events per second, and a POST that waits for its result."""

import json
import statistics
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import click

from benchmarks import client, latency, stack

JSON = "Content-Type: application/json\r\n"
EVENT = b'{"n":1}'
WAITS = 200  # POSTs with Prefer: wait in a pass, one after another

Figures = dict[str, list[float]]


@click.command("web")
@click.option("--clients", default=16, show_default=True)
@click.option("--seconds", default=3.0, show_default=True, help="For each case in each pass.")
@click.option("--passes", default=5, show_default=True)
@click.option("--batch", default=1_000, show_default=True, help="Events in a batch.")
@click.option("--baseline", metavar="LOCALFN", help="Compare with this `localfn` command of another version.")
def command(clients: int, seconds: float, passes: int, batch: int, baseline: str | None) -> None:
    """Measure submits, polls, batches and waiting POSTs; workers run the requests on the same processors.

    With --baseline two stacks run; each pass measures both, one after the other.
    """
    commands = {"": stack.LOCALFN} | ({"baseline": (baseline,)} if baseline else {})
    figures: dict[str, Figures] = {version: {} for version in commands}
    with ExitStack() as stacks:
        urls = {
            version: stacks.enter_context(stack.up(stacks.enter_context(stack.folder()), localfn=localfn)).url
            for version, localfn in commands.items()
        }
        known = {version: finished(url) for version, url in urls.items()}
        for _ in range(passes):
            for version, url in urls.items():
                for name, figure in measure(url, known[version], clients, seconds, batch):
                    figures[version].setdefault(name, []).append(figure)
    report(figures)


def measure(url: str, known: str, clients: int, seconds: float, batch: int) -> Iterator[tuple[str, float]]:
    """Yield the name and the figure of each case. known: the id of a request that has ended."""
    events = json.dumps([{"n": number} for number in range(batch)]).encode()
    cases = {
        "submits/s": (client.post("/api/functions/noop", EVENT), clients, 1),
        "polls/s": (client.get(f"/api/requests/{known}"), clients, 1),
        "batch events/s": (client.post("/api/functions/noop/batch", events), 2, batch),
    }
    for name, (call, count, events_each) in cases.items():
        yield name, client.rate(url, call, count, seconds) * events_each
        stack.wait_until_idle(url)
    connection = client.Connection(url)
    yield "wait p50 ms", statistics.median(latency.call(connection)[0] for _ in range(WAITS))
    connection.close()


def report(figures: Mapping[str, Figures]) -> None:
    """Print the medians, and their ratio to those of the baseline."""
    for version, of_version in figures.items():
        for name, values in of_version.items():
            median, text = statistics.median(values), ", ".join(f"{value:,.1f}" for value in values)
            other = figures.get("baseline", {}).get(name) if not version else None
            ratio = f", {median / statistics.median(other):.2f} x the baseline" if other else ""
            click.echo(f"{version:8} {name:16} median {median:,.1f}{ratio} ({text})")


def finished(url: str) -> str:
    """Run a request; return its id when it has ended."""
    connection = client.Connection(url)
    _, answer = connection.request("POST", "/api/functions/noop", EVENT, f"{JSON}Prefer: wait=10\r\n")
    connection.close()
    return str(json.loads(answer)["id"])
