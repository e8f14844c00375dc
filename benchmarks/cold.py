"""Measure a cold start: from the order of a sandbox until it has imported the function."""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks import stack
from infra.sandbox import sdk_link
from infra.sandbox.interpreter_setup import without_runtime_variables
from workqueue.sandboxes.connection import Disconnected, Frame, SandboxConnection
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.prctl import adopt_orphans
from workqueue.sandboxes.process import SandboxProcess
from workqueue.sandboxes.zygote import Zygote

LIMIT_S = 30.0


@click.command("cold")
@click.option("--count", default=50, show_default=True)
@click.option("--passes", default=5, show_default=True)
def command(count: int, passes: int) -> None:
    """Compare sandboxes forked from the zygote, as on Linux, with new interpreters, as elsewhere."""
    adopt_orphans()
    with stack.folder() as folder, tempfile.TemporaryDirectory(prefix="lf-") as home:
        sdk = sdk_link.ensure_link(Path(home))
        python = Interpreter(sys.executable, sdk, without_runtime_variables(os.environ), 1 << 20)
        zygote = Zygote(python)
        zygote.prepare()
        load = {"type": "load", "root": str(folder / "functions"), "module": "measured", "function": "noop"}
        ways = {"forked": zygote.start, "started": python.start}
        durations: dict[str, list[float]] = {}
        for _ in range(passes):
            for name, start in ways.items():
                durations.setdefault(name, []).append(statistics.median(cold_ms(start, load) for _ in range(count)))
        zygote.close()
    for name, figures in durations.items():
        click.echo(f"{name:8} median {statistics.median(figures):.1f} ms ({min(figures):.1f}–{max(figures):.1f})")


def cold_ms(start: Callable[[dict[str, Any], dict[str, str]], SandboxProcess], load: dict[str, Any]) -> float:
    started_at = time.perf_counter()
    child = start(load, {})
    sandbox = SandboxConnection(child, 1 << 20)
    try:
        while not (isinstance(news := sandbox.next_message(LIMIT_S), Frame) and news.type == "ready"):
            assert not isinstance(news, Disconnected), "the sandbox ended during its start"
        return (time.perf_counter() - started_at) * 1000
    finally:
        child.end()
        child.close()
