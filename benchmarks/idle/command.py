"""Run `./dev bench idle`: start a stack with the example functions, let it rest, and show what it uses."""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click

from benchmarks import stack
from benchmarks.idle import processes, wal
from benchmarks.idle.processes import GROUPS, Reading, Usage

FUNCTIONS = Path(__file__).parents[2] / "functions"
MAX_WRITERS = 12  # shown of the WAL


@click.command("idle")
@click.option("--seconds", default=120.0, show_default=True, help="Length of the measurement.")
@click.option("--settle", default=30.0, show_default=True, help="Seconds to wait after the start.")
def command(seconds: float, settle: float) -> None:
    """Measure memory (PSS), processor time, context switches, and WAL of an idle stack. Linux only.

    The worker pool is listed apart from the rest of the product. The WAL starts with a checkpoint, so it contains all
    full-page images.
    """
    with stack.folder() as folder, stack.up(folder, {"LOCALFN_FUNCTIONS": str(FUNCTIONS)}) as running:
        stack.wait_until_idle(running.url)
        time.sleep(settle)
        home = folder / "home"
        start = wal.read_position(home, with_checkpoint=True)
        time.sleep(1.0)  # let the measuring backend end
        before, began = processes.read_stack(running.pid, with_memory=False), time.monotonic()
        time.sleep(seconds)
        after, elapsed_s = processes.read_stack(running.pid, with_memory=True), time.monotonic() - began
        end = wal.read_position(home)
        writers = wal.bytes_by_writer(home, start, end)
    _show_processes(before, after, elapsed_s)
    _show_wal(start, end, writers, elapsed_s)


def _show_processes(before: Reading, after: Reading, elapsed_s: float) -> None:
    used = [_difference(before.get(thread), usage) for thread, usage in after.items()]
    click.echo(f"{'':<34}{'PSS MB':>8}{'CPU %':>8}{'wake-ups/s':>12}{'preempted/s':>13}")
    for group in GROUPS:
        members = [usage for usage in used if usage.group == group]
        for label, count in Counter(usage.label for usage in members if usage.is_main).items():
            name = f"  {label}" + (f" x {count}" if count > 1 else "")
            _show_sum(name, (usage for usage in members if usage.label == label), elapsed_s)
        _show_sum(group, members, elapsed_s)
    _show_sum("all", used, elapsed_s)


def _difference(before: Usage | None, after: Usage) -> Usage:
    """Return what a thread used between two readings; all that it used if it started in between."""
    earlier = before or Usage(after.label, after.group, after.is_main)
    return Usage(
        label=after.label,
        group=after.group,
        is_main=after.is_main,
        pss_mb=after.pss_mb,
        cpu_s=after.cpu_s - earlier.cpu_s + after.reaped_s - earlier.reaped_s,
        voluntary=after.voluntary - earlier.voluntary,
        involuntary=after.involuntary - earlier.involuntary,
    )


def _show_sum(name: str, used: Iterable[Usage], elapsed_s: float) -> None:
    used = list(used)
    pss_mb, cpu_s = sum(each.pss_mb for each in used), sum(each.cpu_s for each in used)
    voluntary = sum(each.voluntary for each in used) / elapsed_s
    involuntary = sum(each.involuntary for each in used) / elapsed_s
    click.echo(f"{name:<34}{pss_mb:8.1f}{cpu_s / elapsed_s * 100:8.2f}{voluntary:12.1f}{involuntary:13.1f}")


def _show_wal(start: wal.Position, end: wal.Position, writers: Counter[str], elapsed_s: float) -> None:
    minutes = elapsed_s / 60
    click.echo(f"transactions/s: {(end.transactions - start.transactions) / elapsed_s:.1f}")
    click.echo(f"WAL: {wal.distance(start, end) / 1000 / minutes:.1f} kB a minute, of which records of")
    for writer, size in writers.most_common(MAX_WRITERS):
        click.echo(f"  {writer:<60}{size / 1000 / minutes:8.1f}")
