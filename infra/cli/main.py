"""Define `localfn`: the commands that start processes, and the sections of all other commands."""

import gc
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click

from infra.cli.group import RootGroup
from infra.cli.output.tables import json_option, print_data, print_json, print_status
from infra.command_name import command_name
from infra.config.settings import Settings, load, load_and_export
from infra.errors import NotRunningError, UnsupportedSystemError
from infra.processes.hardening import disable_ptrace
from infra.supervisor.control_socket import ParentConnection, receive_settings

SECTIONS = {
    "Start and check": ("new", "up", "down", "status", "logs", "doctor", "version"),
    "Work": ("functions", "requests", "schedules"),
    "Operate": ("queues", "workers", "dashboard"),
    "Access": ("users", "keys"),
    "Single processes": ("web", "worker", "scheduler", "alive"),
    "Set up and export": ("init", "db", "seed", "openapi"),
}
# These start no process.
WINDOWS_COMMANDS = ("new", "version", "functions", "requests", "schedules", "queues", "workers")
EXIT_CODES = (
    "Exit codes: 0 done; 1 the request failed, or a check found a problem; 2 wrong usage or a bad setting; 3 the "
    "runtime is not reachable; 4 not found; 124 waited too long, and the request continues; 130 interrupted by Ctrl-C."
)
GC_THRESHOLD = (700, 10, 10)  # Python's own; localfn_runtime raises it for the imports


@click.group(
    cls=RootGroup, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES
)
@click.version_option(package_name="localfn", message="localfn %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:  # noqa: ARG001 - RootGroup reads it
    """Run asynchronous functions on your own machine: every accepted request ends."""
    if sys.platform == "win32" and ctx.invoked_subcommand not in WINDOWS_COMMANDS:
        raise UnsupportedSystemError(
            f"`localfn {ctx.invoked_subcommand}` needs Linux or macOS. On Windows install WSL with `wsl --install`, "
            "open its terminal, and run localfn there."
        )


def main() -> None:
    open_closed_streams()
    cli(prog_name=command_name())


def open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller closed (`>&-`).

    Otherwise a socket or a log file gets its number, and every print of a child ends up there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


@cli.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def new(folder: Path) -> None:
    """Create a project in DIR, by default the current folder: a function, its test and settings."""
    from infra.project import create_project, next_commands

    for path in create_project(folder):
        print_data(str(path))
    print_status("project created; continue with:")
    for command in next_commands(folder):
        print_status(f"  {command}")


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Listen on this port instead of PORT.")
@click.option("--host", metavar="ADDRESS", help="Listen on this address instead of HOST.")
@click.option("--open", "opens_page", is_flag=True, help="Open the page in the browser once the runtime is ready.")
@click.option("--detach", is_flag=True, help="Start in the background, and return when the runtime is ready.")
def up(port: int | None, host: str | None, opens_page: bool, detach: bool) -> None:
    """Start everything: web, worker and scheduler, and PostgreSQL and Redis if no URL is set."""
    from infra.background import start
    from infra.browser import page_opener
    from infra.supervisor.log_file import LogFile
    from infra.up import up as run

    parent = receive_settings()
    settings = _load_settings(parent)
    settings = replace(settings, port=port or settings.port, host=host or settings.host)
    with page_opener(settings, is_wanted=opens_page) as open_page:
        if detach:
            start(settings, on_ready=open_page)
        elif parent is None:
            run(settings, on_ready=open_page)
        else:  # started by `up --detach`
            run(settings, on_ready=parent.report_ready, log=LogFile(settings.home))


@cli.command()
def down() -> None:
    """Stop the `up` of this home, in the background or in another terminal."""
    from infra.background import stop

    print_status(f"localfn stopped (pid {stop(load()).pid})")


@cli.command()
@json_option
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show whether the `up` of this home runs: its URL, its processes, its log file."""
    from infra.background import read_status
    from infra.cli.output.runtime_status import print_runtime_status

    found = read_status(load())
    if as_json:
        print_json(asdict(found))
    else:
        print_runtime_status(found)
    if found.pid is None:
        ctx.exit(NotRunningError.exit_code)


@cli.command()
@click.option(
    "-n", "count", default=100, show_default=True, type=click.IntRange(0), metavar="N", help="Lines to print."
)
@click.option("-f", "--follow", is_flag=True, help="Print new lines, too, until the runtime stops.")
def logs(count: int, follow: bool) -> None:
    """Print the log of `up --detach`."""
    from infra.cli.output.runtime_status import print_log

    print_log(load(), count, follow=follow)


@cli.command()
@click.option("--only-servers", is_flag=True, help="Only wait for PostgreSQL and Redis, and prepare the SPA.")
def init(only_servers: bool) -> None:
    """Wait for PostgreSQL and Redis, migrate, discover functions, load fixtures, create the superuser."""
    from infra.processes.init import run

    run(_load_with_urls(receive_settings()), only_servers=only_servers)


init_option = click.option("--init", "prepares", is_flag=True, help="Do what `localfn init` does first.")


@cli.command()
@click.option("--development", is_flag=True, help="Use Flask's server, which reloads changed code. Local mode only.")
@init_option
def web(development: bool, prepares: bool) -> None:
    """Serve the HTTP API and the SPA."""
    parent = receive_settings()
    settings = _load_with_urls(parent, prepares=prepares)
    if development:
        from infra.processes import debug_server

        debug_server.run(settings)
    else:
        from infra.processes import web as web_server

        web_server.run(settings, parent.listener if parent is not None else None)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Listen on this address.")
@click.option(
    "--port", default=9181, show_default=True, type=click.IntRange(1, 65535), metavar="N", help="Listen on this port."
)
def dashboard(host: str, port: int) -> None:
    """Serve rq-dashboard alone, read-only and without a login."""
    from infra.processes.dashboard import run

    run(replace(_load_with_urls(None, needs_database=False), host=host, port=port))


@cli.command()
@init_option
def worker(prepares: bool) -> None:
    """Run the worker pool of this machine."""
    from infra.processes.worker import run

    parent = receive_settings()
    run(_load_with_urls(parent, prepares=prepares), parent.report_ready if parent is not None else None)


@cli.command()
@init_option
def scheduler(prepares: bool) -> None:
    """Fire schedules, and recover the requests of lost workers."""
    from infra.processes.scheduler import run

    run(_load_with_urls(receive_settings(), prepares=prepares))


@cli.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 document of the HTTP API as JSON; no runtime is needed."""
    from infra.cli.openapi_export import description

    click.echo(description())


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def version(as_json: bool) -> None:
    """Print the version, and the newest schema revision that it supports."""
    import importlib.metadata

    from schema.revision import head_revision

    found = {"version": importlib.metadata.version("localfn"), "schema_revision": head_revision()}
    if as_json:
        print_json(found)
    else:
        print_data(f"localfn {found['version']}\nschema revision {found['schema_revision']}")


def _load_settings(parent: ParentConnection | None = None) -> Settings:
    """Load the settings of this process, and harden the process.

    parent: the connection to the `up` that started this process and has read the files for it.
    """
    _end_imports()
    settings = load_and_export() if parent is None else load(reads_files=False)
    disable_ptrace(settings)
    return settings


def _end_imports() -> None:
    """Collect garbage at Python's usual pace again, but not among the imported objects."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)


def _load_with_urls(
    parent: ParentConnection | None, *, needs_database: bool = True, prepares: bool = False
) -> Settings:
    """Load the settings with both addresses. prepares: run `localfn init` first, with what is imported by now."""
    from infra.config.service_urls import with_service_urls

    settings = with_service_urls(_load_settings(parent), needs_database=needs_database)
    if prepares:
        from infra.processes.init import run_in_child

        run_in_child(settings)
    return settings
