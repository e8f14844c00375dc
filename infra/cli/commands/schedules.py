"""Define `localfn schedules`: list, edit and run schedules."""

from collections.abc import Callable
from typing import Any

import click

from infra.api_client import connect, schedule_path
from infra.cli.arguments import Event, Seconds
from infra.cli.group import CommandGroup
from infra.cli.output.formatting import local_time, relative_time
from infra.cli.output.progress import displayed_status
from infra.cli.output.schedule_details import format_runs, format_schedule
from infra.cli.output.tables import (
    STATUS_COLOURS,
    Column,
    format_table,
    json_option,
    print_data,
    print_json,
    print_status,
)
from infra.config.settings import load
from schema import exact_json

COLUMNS = (
    Column("SCHEDULE", min_width=16),
    Column("FUNCTION", min_width=8),
    Column("EXPRESSION", min_width=12),
    Column("ZONE", min_width=6),
    Column("NEXT"),
    Column("LAST", colours=STATUS_COLOURS),
    Column("RUNS"),
)
NOTHING = "none"
MAY_BE_EMPTY = ("start_at", "end_at", "max_runs", "queue")


@click.group(cls=CommandGroup)
def schedules() -> None:
    """List, edit and run schedules."""


def definition(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that define a schedule; the value `none` clears an optional field."""
    options = [
        click.option("--function", metavar="NAME", help="The function to call."),
        click.option("--expression", metavar="TEXT", help="'*/5 * * * *', @daily, 'cron(…)', 'rate(…)' or 'at(…)'."),
        click.option("--timezone", metavar="ZONE", help="IANA name, such as Europe/Berlin. Default: UTC."),
        click.option("--data", "event", type=Event(), help="The event of each request. Default: {}."),
        click.option("--start-at", metavar="TIME", help="First time to fire, such as 2030-01-31T12:00:00Z, or none."),
        click.option("--end-at", metavar="TIME", help="Last time to fire, or none."),
        click.option("--max-runs", metavar="N|none", help="Stop after N requests."),
        click.option(
            "--misfire", type=click.Choice(("skip", "once", "all")), help="For missed times: no request, one, or all."
        ),
        click.option(
            "--misfire-grace", "misfire_grace_s", type=Seconds(), help="Count a time as missed after S seconds."
        ),
        click.option(
            "--overlap", type=click.Choice(("allow", "skip")), help="Whether to fire while its last request runs."
        ),
        click.option("--queue", metavar="QUEUE|none", help="Use this queue instead of the function's own."),
        click.option("--description", metavar="TEXT", help="Free text."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@schedules.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the schedules."""
    with connect(load()) as client:
        found = client.get("/api/schedules")
    if as_json:
        return print_json(found)
    if found["items"]:
        print_data(format_table(COLUMNS, map(_row, found["items"])))
    else:
        print_status("no schedules; create one with `localfn schedules create`.")
    for item in found["items"]:
        if item["error"]:
            print_status(click.style(f"{item['name']}: {item['error']}", fg="red"))
    return None


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    following = relative_time(item["next_run_at"]) if item["next_run_at"] else "-" if item["enabled"] else "disabled"
    last = displayed_status(item["last_request"]) if item["last_request"] else "-"
    return item["name"], item["function"], item["expression"], item["timezone"], following, last, format_runs(item)


@schedules.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one schedule: its times, its function and its misfire policy."""
    with connect(load()) as client:
        _print_schedule(client.get(schedule_path(name)), as_json)


@schedules.command()
@click.argument("name")
@click.option("--disabled", is_flag=True, help="Create it without firing it.")
@definition
@json_option
def create(name: str, disabled: bool, as_json: bool, **options: Any) -> None:
    """Create a schedule; --function and --expression are required."""
    body = {"name": name, "enabled": not disabled} | _request_body(options)
    with connect(load()) as client:
        _print_schedule(client.post("/api/schedules", json=body), as_json)


@schedules.command()
@click.argument("name")
@definition
@json_option
def update(name: str, as_json: bool, **options: Any) -> None:
    """Change the given fields of a schedule."""
    body = _request_body(options)
    if not body:
        raise click.UsageError("nothing to change; give at least one option.")
    _patch(name, body, as_json)


@schedules.command()
@click.argument("name")
@json_option
def enable(name: str, as_json: bool) -> None:
    """Fire a schedule from now on."""
    _patch(name, {"enabled": True}, as_json)


@schedules.command()
@click.argument("name")
@json_option
def disable(name: str, as_json: bool) -> None:
    """Stop firing a schedule until it is enabled."""
    _patch(name, {"enabled": False}, as_json)


def _patch(name: str, body: dict[str, Any], as_json: bool) -> None:
    with connect(load()) as client:
        _print_schedule(client.patch(schedule_path(name), json=body), as_json)


@schedules.command()
@click.argument("name")
@json_option
def run(name: str, as_json: bool) -> None:
    """Create a request of a schedule now. Print the request's ID."""
    with connect(load()) as client:
        request = client.post(schedule_path(name, "run"))
    if as_json:
        return print_json(request)
    print_data(request["id"])
    print_status(f"accepted; to follow its log: localfn requests logs -f {request['id']}")
    return None


@schedules.command("next")
@click.argument("name")
@click.option("--count", type=click.IntRange(1, 1000), default=10, show_default=True, help="Number of times.")
@json_option
def next_times(name: str, count: int, as_json: bool) -> None:
    """Print the next times of a schedule in this machine's zone."""
    with connect(load()) as client:
        answer = client.get(schedule_path(name, "next"), count=count)
    if as_json:
        return print_json(answer)
    for time in answer["times"]:
        print_data(f"{local_time(time)}  {relative_time(time)}")
    if not answer["times"]:
        print_status("the schedule will not fire again.")
    return None


@schedules.command()
@click.argument("name")
@json_option
def delete(name: str, as_json: bool) -> None:
    """Delete a schedule; its requests are kept."""
    with connect(load()) as client:
        client.delete(schedule_path(name))
    print_json({"name": name}) if as_json else print_data(f"{name}  deleted")


def _request_body(options: dict[str, Any]) -> dict[str, Any]:
    """Return the given options as a request body of the API; `none` becomes null."""
    body: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    body |= {name: None for name in MAY_BE_EMPTY if body.get(name) == NOTHING}
    if "event" in body:
        body["event"] = exact_json.read(body["event"])
    if body.get("max_runs") is not None:
        body["max_runs"] = _parse_max_runs(body["max_runs"])
    return body


def _parse_max_runs(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise click.UsageError(f"--max-runs: {text!r} is not a whole number; write, for example, 10 or none.")
    return int(text)


def _print_schedule(item: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(item)
    elif "expression" not in item:  # the API key may change schedules but not read them
        print_data(item["name"])
    else:
        print_data(format_schedule(item))
