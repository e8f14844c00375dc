"""Define `localfn workers`: list the workers."""

from typing import Any

import click

from infra.api_client import connect
from infra.cli.group import CommandGroup
from infra.cli.output.formatting import relative_time
from infra.cli.output.tables import Column, format_table, json_option, print_data, print_json, print_status
from infra.config.settings import load

COLUMNS = (
    Column("WORKER", min_width=11),
    Column("STATE", colours={"busy": "cyan", "unresponsive": "red"}),
    Column("QUEUES", min_width=6),
    Column("REQUEST"),
    Column("FUNCTION", min_width=12),
)


@click.group(cls=CommandGroup)
def workers() -> None:
    """List the workers."""


@workers.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the workers and their current requests."""
    with connect(load()) as client:
        found = client.get("/api/workers")
    if as_json:
        return print_json(found)
    if found["items"]:
        print_data(format_table(COLUMNS, map(_row, found["items"])))
    else:
        print_status("no worker runs; start one with `localfn worker`.")
    return None


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    activity = "-"
    if item["request_id"]:
        activity = f"{item['function']}  {item['phase'] or ''}  {relative_time(item['since'])}"
    return (
        item["name"],
        item["state"],
        ",".join(item["queues"]),
        item["request_id"] or "-",
        activity,
    )
