"""`localfn workers`: who works, and at what."""

from typing import Any

import click

from infra.api_client import connect
from infra.cli.group import CommandGroup
from infra.cli.output.formatting import ago
from infra.cli.output.tables import Column, emit, emit_json, json_option, note, table
from infra.config.settings import load

COLUMNS = (
    Column("WORKER", least=11),
    Column("STATE", colours={"busy": "cyan", "silent": "red"}),
    Column("QUEUES", least=6),
    Column("REQUEST"),
    Column("FUNCTION", least=12),
)


@click.group(cls=CommandGroup)
def workers() -> None:
    """See the workers."""


@workers.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the workers, with what each runs now."""
    with connect(load()) as client:
        found = client.get("/api/workers")
    if as_json:
        return emit_json(found)
    if found["items"]:
        emit(table(COLUMNS, map(_row, found["items"])))
    else:
        note("no worker is running; start some with `localfn worker`.")
    return None


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    does = f"{item['function']}  {item['phase'] or ''}  {ago(item['since'])}" if item["request_id"] else "-"
    return (
        item["name"],
        item["state"],
        ",".join(item["queues"]),
        item["request_id"] or "-",
        does,
    )
