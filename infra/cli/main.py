"""`localfn`: the processes, and the names of the modules in which the other commands stand."""

import importlib.metadata
from dataclasses import replace

import click

from infra.cli.group import RootGroup
from infra.command_name import command_name
from infra.config.settings import Settings, export_dotenv, load
from infra.sandbox.hardening import disable_ptrace
from infra.supervisor.control_socket import Attached, attach

SECTIONS = {
    "Start and check": ("up", "doctor", "version"),
    "Work": ("functions", "requests", "schedules"),
    "Operate": ("queues", "workers", "dashboard"),
    "Who may call": ("users", "keys"),
    "Single processes": ("web", "worker", "scheduler"),
    "Set up and describe": ("init", "db", "seed", "openapi"),
}
EXIT_CODES = (
    "Exit codes: 0 done; 1 the request failed, or something is not well; 2 wrong usage or a bad setting; 3 no runtime "
    "is reachable; 4 not found; 124 waited too long, and the request goes on; 130 ended by Ctrl-C."
)


@click.group(
    cls=RootGroup, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES
)
@click.version_option(importlib.metadata.version("localfn"), message="localfn %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Run functions on your own machine as a cloud would: accepted means it will finish."""


def main() -> None:
    cli(prog_name=command_name())


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Listen on this port instead of PORT's.")
@click.option("--host", metavar="ADDRESS", help="Listen on this address instead of HOST's.")
def up(port: int | None, host: str | None) -> None:
    """Start everything: PostgreSQL and Redis where no URL is given, web, worker, scheduler."""
    from infra.up import up as run

    settings = _load_settings()
    run(replace(settings, port=port or settings.port, host=host or settings.host))


@cli.command()
@click.option("--only-servers", is_flag=True, help="Wait for the servers and make the screen ready, no more.")
def init(only_servers: bool) -> None:
    """Wait for the servers, migrate, find the functions, load the fixtures once, make the superuser."""
    from infra.processes.init import run

    run(_load_with_urls(attach()), only_servers=only_servers)


@cli.command()
@click.option("--development", is_flag=True, help="Flask's own server: starts again when the code changes. Local only.")
def web(development: bool) -> None:
    """Serve HTTP."""
    if development:
        from infra.processes.debug_server import run
    else:
        from infra.processes.web import run

    run(_load_with_urls(attach()))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9181, show_default=True, type=click.IntRange(1, 65535))
def dashboard(host: str, port: int) -> None:
    """Serve rq-dashboard alone, without a login: it shows, and changes nothing."""
    from infra.processes.dashboard import run

    run(replace(_load_with_urls(None, needs_database=False), host=host, port=port))


@cli.command()
def worker() -> None:
    """Run the worker pool."""
    from infra.processes.worker import run

    line = attach()
    run(_load_with_urls(line), line.tell_ready if line is not None else None)


@cli.command()
def scheduler() -> None:
    """Fire the schedules, and give back what lost workers had taken."""
    from infra.processes.scheduler import run

    run(_load_with_urls(attach()))


@cli.command()
def openapi() -> None:
    """Print the description of the HTTP API, OpenAPI 3.1 in JSON; nothing has to run for it."""
    from infra.cli.openapi_export import description

    click.echo(description())


@cli.command()
def version() -> None:
    """Print the version."""
    click.echo(f"localfn {importlib.metadata.version('localfn')}")


def _load_settings(line: Attached | None = None) -> Settings:
    """Return what a process of the runtime works with; for it the door closes here.

    line: to the `up` that started this process, and has read `.env` for it.
    """
    if line is None:
        export_dotenv()
    settings = load(reads_file=line is None)
    disable_ptrace(settings)
    return settings


def _load_with_urls(line: Attached | None, *, needs_database: bool = True) -> Settings:
    from infra.config.service_urls import with_service_urls

    return with_service_urls(_load_settings(line), needs_database=needs_database)
