"""Run `./dev bench peers`: start the servers, measure all contestants, and show the figures."""

import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.peers import machine, passes, servers
from benchmarks.peers.contestant import Contestant
from benchmarks.peers.durable import WAYS
from benchmarks.peers.report import report, tables
from benchmarks.peers.report.figures import CASES, Described, Run
from benchmarks.peers.runners.on_localfn import LocalfnContestant
from benchmarks.peers.runners.peer import PeerContestant
from benchmarks.peers.setups import SETUPS
from infra.errors import InfraError

NAMES = (LocalfnContestant.name, *(setup.name for setup in SETUPS))


@click.command("peers")
@click.option("--requests", default=5_000, show_default=True, help="In a drain; the forking RQ gets a tenth.")
@click.option("--idle-requests", default=200, show_default=True, help="In a pass of the idle case.")
@click.option("--passes", "count", default=5, show_default=True)
@click.option("--only", multiple=True, metavar="NAME", help=f"A part of a name; may be repeated. {', '.join(NAMES)}")
@click.option("--case", "cases", multiple=True, type=click.Choice([case.name for case in CASES]), help="Default: all.")
@click.option(
    "--way",
    type=click.Choice(WAYS),
    default=WAYS[0],
    show_default=True,
    help="How the peers' tasks are written: with the fewest round trips to PostgreSQL, or as usual.",
)
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to this file."
)
@click.option("--report", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Write a page and a picture into this folder.")  # fmt: skip
@click.option("--from", "source", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Show the figures of this --json file without measuring.")  # fmt: skip
def command(
    requests: int, idle_requests: int, count: int, only: tuple[str, ...], cases: tuple[str, ...], way: str,
    json_file: Path | None, folder: Path | None, source: Path | None,
) -> None:  # fmt: skip
    """Measure localfn, Celery, Dramatiq, Huey and RQ on the same durable path, and a bare loop as the bound."""
    if source is not None:
        run = report.read_json(source)
    else:
        command_line = shlex.join(["./dev", "bench", "peers", *sys.argv[2:]])
        run = Run(command_line, requests, idle_requests, {}, [])
        _measure(run, only, cases, count, way)
    for case in run.cases():
        click.echo("\n" + tables.plain(tables.of(run, case)))
    if json_file is not None:
        report.write_json(run, json_file)
    if folder is not None:
        report.write_pages(run, folder)
    if run.spoilt:
        raise click.ClickException(f"{len(run.spoilt)} passes do not count:\n" + "\n".join(run.spoilt))


def _measure(run: Run, only: Sequence[str], cases: Sequence[str], count: int, way: str) -> None:
    # SIGTERM ends this process like Ctrl-C: it runs all `finally` blocks, which end processes and remove folders.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    chosen = [case for case in CASES if not cases or case.name in cases]
    with tempfile.TemporaryDirectory(prefix="lf-peers-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        try:
            with servers.running(folder / "servers") as running:
                contestants = _contestants(running, folder, only, way)
                run.machine = machine.described(running, folder)
                run.contestants = [
                    Described(contestant.name, contestant.kind, contestant.description, contestant.share)
                    for contestant in contestants
                ]
                passes.measure(run, running, contestants, chosen, count)
        except InfraError as error:
            raise click.ClickException(str(error)) from error


def _contestants(running: servers.Servers, folder: Path, only: Sequence[str], way: str) -> list[Contestant]:
    def wanted(name: str) -> bool:
        return not only or any(part.lower() in name.lower() for part in only)

    contestants: list[Contestant] = [LocalfnContestant(running, folder)] if wanted(LocalfnContestant.name) else []
    contestants += [PeerContestant(setup, running, folder, way) for setup in SETUPS if wanted(setup.name)]
    if not contestants:
        raise click.BadParameter(
            f"no contestant has such a name; use a part of one of {', '.join(NAMES)}", param_hint="--only"
        )
    return contestants
