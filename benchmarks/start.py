"""Measure the duration of a start, and the memory of all processes at idle."""

import time

import click
import psutil

from benchmarks import stack

SETTLE_S = 5.0


@click.command("start")
@click.option("--passes", default=3, show_default=True, help="Starts after the first.")
def command(passes: int) -> None:
    """Measure the first start of a home, then later ones; memory is the sum of PSS of all processes."""
    with stack.folder() as folder:
        for number in range(passes + 1):
            with stack.up(folder) as running:
                time.sleep(SETTLE_S)  # let the work of the start end
                name = f"start {number + 1}" if number else "first start"
                click.echo(f"{name}: ready after {running.ready_s:.1f} s, {weight_mb(running.pid):.0f} MB at idle")


def weight_mb(pid: int) -> float:
    """Return the sum of PSS of the process and its descendants, in MB (10^6 bytes)."""
    top = psutil.Process(pid)
    return sum(float(process.memory_full_info().pss) for process in [top, *top.children(recursive=True)]) / 1e6
