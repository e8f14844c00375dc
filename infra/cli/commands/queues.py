"""`localfn queues`: what waits in each; pause, resume, empty."""

from typing import Any
from urllib.parse import quote

import click

from infra.api_client import Client, connect
from infra.cli.group import CommandGroup
from infra.cli.output.formatting import format_seconds
from infra.cli.output.tables import Column, format_table, json_option, print_data, print_json, print_status
from infra.config.settings import load

COLUMNS = (
    Column("QUEUE"),
    Column("WAITING"),
    Column("SCHEDULED"),
    Column("OLDEST"),
    Column("WORKERS"),
    Column("STATE", colours={"paused": "yellow"}),
)
EMPTY_TIMEOUT_S = 60.0  # one call does as much as fits ten seconds


@click.group(cls=CommandGroup)
def queues() -> None:
    """See and steer the queues."""


@queues.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the queues, with what waits in each."""
    with connect(load()) as client:
        found = client.get("/api/queues")
    print_json(found) if as_json else print_data(format_table(COLUMNS, map(_row, found["items"])))


@queues.command()
@click.argument("name")
@json_option
def pause(name: str, as_json: bool) -> None:
    """Start nothing more of this queue. What runs goes on; what comes is accepted, and waits."""
    _pause_or_resume(name, "pause", as_json)


@queues.command()
@click.argument("name")
@json_option
def resume(name: str, as_json: bool) -> None:
    """Start what waits in this queue."""
    _pause_or_resume(name, "resume", as_json)


@queues.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def empty(name: str, yes: bool, as_json: bool) -> None:
    """Cancel all that waits in this queue; what runs goes on."""
    if not yes:
        click.confirm(f"Cancel all that waits in queue {name}?", abort=True, err=True)
    cancelled = 0
    with connect(load()) as client:
        while True:
            answer = client.post(_path(name, "empty"), answer_s=EMPTY_TIMEOUT_S)
            cancelled += answer["cancelled"]
            if answer["complete"]:
                break
            print_status(f"{cancelled} cancelled so far …")
    print_json({"name": name, "cancelled": cancelled}) if as_json else print_data(f"{name}  {cancelled} cancelled")


def _pause_or_resume(name: str, action: str, as_json: bool) -> None:
    with connect(load()) as client:
        item = _post(client, name, action)
    if as_json:
        return print_json(item)
    if "depth" not in item:  # the key may steer queues, and not read them
        return print_data(f"{item['name']}  {'paused' if item['paused'] else 'running'}")
    return print_data(format_table(COLUMNS, [_row(item)]))


def _post(client: Client, name: str, action: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(_path(name, action))
    return answer


def _path(name: str, action: str) -> str:
    return f"/api/queues/{quote(name, safe='')}/{action}"


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    oldest = format_seconds(item["oldest_age_s"])
    state = "paused" if item["paused"] else "open"
    return item["name"], str(item["depth"]), str(item["scheduled"]), oldest, str(item["workers"]), state
