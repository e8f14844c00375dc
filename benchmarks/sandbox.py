"""Measure the processor time of a sandbox for a no-op: read the event, run it, check for leftovers, answer."""

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from benchmarks import stack
from infra.sandbox import sdk_link
from infra.sandbox.interpreter_setup import without_runtime_variables
from tests.integration.sandboxes.driving import send_events
from workqueue.sandboxes.connection import Disconnected, Frame, SandboxConnection
from workqueue.sandboxes.interpreter import Interpreter

LIMIT_S = 30.0
BATCH_SIZE = 32  # requests that are sent together


@click.command("sandbox")
@click.option("--other", type=click.Path(path_type=Path), help="A folder with a localfn package of the same wire.")
@click.option("--count", default=3_200, show_default=True, help="Requests of one pass.")
@click.option("--passes", default=9, show_default=True)
def command(other: Path | None, count: int, passes: int) -> None:
    """Measure warm sandboxes in alternation, without database and Redis."""
    folders = {"this": sdk_link.sdk_folder().parent} | ({"other": other.resolve()} if other else {})
    durations: dict[str, list[float]] = {name: [] for name in folders}
    with stack.folder() as folder, ExitStack() as opened:
        started = {name: opened.enter_context(warm(folder, path)) for name, path in folders.items()}
        workdir = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="lf-")))
        for _ in range(passes):
            for name, (sandbox, pid) in started.items():
                before = processor_us(pid)
                for _ in range(count // BATCH_SIZE):
                    run(sandbox, workdir)
                durations[name].append((processor_us(pid) - before) / count)
    for name, figures in durations.items():
        click.echo(f"{name:6} median {statistics.median(figures):.1f} µs ({min(figures):.1f}–{max(figures):.1f})")


@contextmanager
def warm(folder: Path, package: Path) -> Iterator[tuple[SandboxConnection, int]]:
    python = Interpreter(sys.executable, package, without_runtime_variables(os.environ), 1 << 20)
    load = {"type": "load", "root": str(folder / "functions"), "module": "measured", "function": "noop"}
    child = python.start(load, {})
    sandbox = SandboxConnection(child, 1 << 20)
    try:
        wait_for_answers(sandbox, 1)
        yield sandbox, child.pid
    finally:
        child.end()
        child.close()


def run(sandbox: SandboxConnection, workdir: Path) -> None:
    send_events(sandbox, workdir, ['{"n":1}'] * BATCH_SIZE)
    wait_for_answers(sandbox, BATCH_SIZE)


def wait_for_answers(sandbox: SandboxConnection, count: int) -> None:
    """Wait for this number of answers."""
    while count:
        news = sandbox.next_message(LIMIT_S)
        assert not isinstance(news, Disconnected), news
        count -= isinstance(news, Frame) and news.type in ("ready", "done")


def processor_us(pid: int) -> float:
    """Return the processor time of the main thread in microseconds, from schedstat of proc(5)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000
