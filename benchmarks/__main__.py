"""`./dev bench NAME`: runs one benchmark and prints its figures."""

import click

from benchmarks import latency, recovery, schedules, start


@click.group()
def bench() -> None:
    """Measures localfn on this machine; nothing else should run meanwhile."""


bench.add_command(latency.command)
bench.add_command(recovery.command)
bench.add_command(schedules.command)
bench.add_command(start.command)

if __name__ == "__main__":
    bench(prog_name="bench")
