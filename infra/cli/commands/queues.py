"""Define `localfn queues`: list, pause, resume and empty queues."""

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
EMPTY_TIMEOUT_S = 60.0  # the API works on one call for up to ten seconds


@click.group(cls=CommandGroup)
def queues() -> None:
    """List, pause, resume and empty queues."""


@queues.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the queues with their depth and their workers."""
    with connect(load()) as client:
        found = client.get("/api/queues")
    print_json(found) if as_json else print_data(format_table(COLUMNS, map(_row, found["items"])))


@queues.command()
@click.argument("name")
@json_option
def pause(name: str, as_json: bool) -> None:
    """Stop starting requests of this queue. Running requests continue; new requests are accepted and wait."""
    _pause_or_resume(name, "pause", as_json)


@queues.command()
@click.argument("name")
@json_option
def resume(name: str, as_json: bool) -> None:
    """Start the waiting requests of a paused queue."""
    _pause_or_resume(name, "resume", as_json)


@queues.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def empty(name: str, yes: bool, as_json: bool) -> None:
    """Cancel all waiting requests of this queue. Running requests continue."""
    if not yes:
        click.confirm(f"Cancel all waiting requests of queue {name}?", abort=True, err=True)
    cancelled = 0
    with connect(load()) as client:
        while True:
            answer = client.post(_path(name, "empty"), timeout_s=EMPTY_TIMEOUT_S)
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
    if "depth" not in item:  # the API key may pause queues but not read them
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
