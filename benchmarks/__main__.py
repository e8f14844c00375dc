"""Run one benchmark by its name, `./dev bench NAME`, and print its figures."""

import click

from benchmarks import cold, latency, recovery, sandbox, schedules, start, web
from benchmarks.concurrency import ablations, many, parallel
from benchmarks.crowd.command import command as crowd
from benchmarks.idle.command import command as idle
from benchmarks.peers.command import command as peers
from benchmarks.tables import flat, rows


@click.group()
def bench() -> None:
    """Measure localfn on this machine. Run nothing else at the same time."""


bench.add_command(ablations.command)
bench.add_command(cold.command)
bench.add_command(crowd)
bench.add_command(flat.command)
bench.add_command(idle)
bench.add_command(latency.command)
bench.add_command(many.command)
bench.add_command(parallel.command)
bench.add_command(peers)
bench.add_command(recovery.command)
bench.add_command(rows.command)
bench.add_command(sandbox.command)
bench.add_command(schedules.command)
bench.add_command(start.command)
bench.add_command(web.command)

if __name__ == "__main__":
    bench(prog_name="bench")
