"""Define `localfn alive`. With LOCALFN_HOME in the environment, localfn_runtime answers without this module."""

import click

from infra.cli.output.tables import print_status


@click.command()
@click.pass_context
def alive(ctx: click.Context) -> None:
    """Check that the processes of this home on this host make progress, for probes; exit with 1 if not."""
    from infra.config.settings import load
    from workqueue.heartbeats.liveness import find_problem

    if problem := find_problem(load().home / "run"):
        print_status(problem)
        ctx.exit(1)
