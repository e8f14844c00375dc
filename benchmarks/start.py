"""How long a start takes, and what everything weighs at idle."""

import time

import click
import psutil

from benchmarks import stack

SETTLE_S = 5.0


@click.command("start")
@click.option("--passes", default=3, show_default=True, help="Starts after the first.")
def command(passes: int) -> None:
    """The first start of a home, then more of them; memory as the sum of PSS, children included."""
    with stack.folder() as folder:
        for number in range(passes + 1):
            with stack.up(folder) as running:
                time.sleep(SETTLE_S)  # the first second's work is no idling
                name = f"start {number + 1}" if number else "first start"
                click.echo(f"{name}: ready after {running.ready_s:.1f} s, {weight_mb(running.pid):.0f} MB at idle")


def weight_mb(pid: int) -> float:
    """Sum of PSS of the process and all below it, in MB (10^6 bytes)."""
    top = psutil.Process(pid)
    return sum(float(process.memory_full_info().pss) for process in [top, *top.children(recursive=True)]) / 1e6
