"""`localfn functions`: what there is to call, and calling it."""

import contextlib
import json
from pathlib import Path
from typing import Any

import click

from infra.api_client import Client, connect, function_path, request_path
from infra.cli.arguments import EVENT_PART, Event, NamedFile, Seconds
from infra.cli.group import CommandGroup
from infra.cli.output.follow_request import WaitLimit, wait_until_ended
from infra.cli.output.formatting import format_seconds, one_line
from infra.cli.output.progress import Progress
from infra.cli.output.request_details import download_commands, format_error, traceback_end
from infra.cli.output.tables import (
    Column,
    format_fields,
    format_table,
    json_option,
    print_data,
    print_json,
    print_status,
)
from infra.config.settings import load

INTERRUPTED_CODE = 130
COLUMNS = (
    Column("FUNCTION", least=26),
    Column("QUEUE", least=5),
    Column("TIMEOUT"),
    Column("ATTEMPTS"),
    Column("MEMORY"),
    Column("DESCRIPTION", least=11),
)


@click.group(cls=CommandGroup)
def functions() -> None:
    """See and call functions."""


@functions.command("list")
@json_option
def show_all(as_json: bool) -> None:
    """List the functions, and the modules that fail to import."""
    with connect(load()) as client:
        found = client.get("/api/functions")
    if as_json:
        return print_json(found)
    if found["items"]:
        print_data(format_table(COLUMNS, map(_row, found["items"])))
    else:
        print_status("no functions; LOCALFN_FUNCTIONS says where they are looked for.")
    if found["errors"]:
        print_data("\n" + click.style("These modules fail to import:", fg="red"))
        print_data("\n".join(f"  {_import_failure(error)}" for error in found["errors"]))
    for file in found["skipped"]:
        print_status(f"not discovered: {file['source_file']}: {file['reason']}")
    return None


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    description = "its file fails to import now" if item["error"] else item["description"].split("\n")[0]
    attempts, memory = str(item["max_attempts"]), f"{item['memory_mb']} MB"
    return item["name"], item["queue"], format_seconds(item["timeout_s"]), attempts, memory, description


def _import_failure(error: dict[str, Any]) -> str:
    return f"{error['source_file']}  {format_error(error)}"


@functions.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one function: its limits, its input, where it stands."""
    with connect(load()) as client:
        item = client.get(function_path(name))
    if as_json:
        return print_json(item)
    schema = item["input_schema"]
    print_data(
        format_fields(
            [
                ("function", click.style(item["name"], bold=True)),
                ("queue", item["queue"]),
                ("timeout", format_seconds(item["timeout_s"])),
                ("attempts", f"{item['max_attempts']} at most"),
                ("memory", f"{item['memory_mb']} MB"),
                ("network", "yes" if item["network"] else "none, once its module is imported"),
                ("source", f"{item['source_file']}:{item['source_line']}"),
                ("error", click.style(format_error(item["error"]), fg="red") if item["error"] else ""),
                ("input", "" if schema else "any JSON"),
            ]
        )
    )
    if item["description"]:
        print_data(f"\n{item['description']}")
    if schema:
        print_data(f"\ninput schema\n{json.dumps(schema, indent=2, ensure_ascii=False)}")
    return None


@functions.command()
@click.argument("name")
@click.option("--data", "event", type=Event(), default="{}", help="The event; {} when left out.")
@click.option("--file", "files", type=NamedFile(), multiple=True, help="A file to send with it; may be repeated.")
@click.option("--wait", is_flag=True, help="Wait for the end and print the result.")
@click.option("--timeout", "timeout_s", type=Seconds(), help="Wait S seconds at most.")
@click.option("--key", metavar="KEY", help="Idempotency key: a second call with it gives the first request.")
@click.option("--delay", "delay_s", type=Seconds(), help="Start in S seconds.")
@click.option("--queue", metavar="QUEUE", help="Another queue than the function's own.")
@json_option
@click.pass_context
def invoke(ctx: click.Context, /, wait: bool, timeout_s: float | None, as_json: bool, **order: Any) -> None:
    """Call a function. Prints the request's id, or with --wait the result as JSON."""
    if timeout_s is not None and not wait:
        raise click.UsageError("--timeout goes with --wait: it limits the waiting, not the function.")
    with connect(load()) as client:
        progress = Progress()
        request = _submit(client, **order)
        if not wait:
            return _print_accepted(request, as_json)
        try:
            limit = WaitLimit(request["id"], timeout_s, progress)
            ctx.exit(_wait_and_print(client, limit, progress, request["id"], as_json))
        except KeyboardInterrupt:
            progress.clear()
            print_status(f"The request goes on; to cancel it: localfn requests cancel {request['id']}")
            ctx.exit(INTERRUPTED_CODE)
        finally:
            progress.clear()


def _submit(
    client: Client,
    name: str,
    event: bytes,
    files: tuple[tuple[str, Path], ...],
    key: str | None,
    delay_s: float | None,
    queue: str | None,
) -> dict[str, Any]:
    _check_options(files, key)
    headers = {"Idempotency-Key": key} if key else {}
    # `10` rather than `1e1`: the API reads plain digits.
    query: dict[str, object] = {"delay_s": None if delay_s is None else f"{delay_s:.6f}", "queue": queue}
    with contextlib.ExitStack() as opened:
        body: dict[str, Any] = {"content": event}
        if files:
            parts = [(part, (path.name, opened.enter_context(path.open("rb")))) for part, path in files]
            body = {"files": [(EVENT_PART, (None, event, "application/json")), *parts]}
        else:
            headers["Content-Type"] = "application/json"
        request: dict[str, Any] = client.post(function_path(name), query=query, headers=headers, **body)
    return request


def _check_options(files: tuple[tuple[str, Path], ...], key: str | None) -> None:
    names = [name for name, _ in files]
    if len(set(names)) < len(names):
        raise click.UsageError("two --file have the same NAME.")
    if key is not None and not (key.isascii() and key.isprintable() and key):
        raise click.UsageError("--key takes printable ASCII characters.")


def _print_accepted(request: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(request)
    else:
        print_data(request["id"])
    print_status(f"accepted; follow it with: localfn requests logs -f {request['id']}")


def _wait_and_print(client: Client, patience: WaitLimit, progress: Progress, request_id: str, as_json: bool) -> int:
    """Waits, prints what came of it, and gives the exit code."""
    request = wait_until_ended(client, request_id, patience, progress)
    completed = request["status"] == "completed"
    part = request_path(request_id, "result" if completed else "attempts")
    more = patience.retry(lambda limit_s: client.get(part, answer_s=limit_s))
    progress.clear()
    if completed:
        print_status(f"{request['function']} completed in {format_seconds(progress.elapsed_s)}")
        for line in download_commands(request["files"], client.url):
            print_status(f"  {line}")
    else:
        _print_failure(request, more["items"])
    if as_json:
        print_json(request | {"result": more["data"] if completed else None})
    elif completed:
        print_json(more["data"])
    return 0 if completed else 1


def _print_failure(request: dict[str, Any], attempts: list[dict[str, Any]]) -> None:
    """Say why it failed: one line, and the end of the traceback when there is one."""
    if request["cancelled"]:
        name = one_line(request["function"])
        print_status(f"{name} was cancelled; to run it again: localfn requests retry {request['id']}")
        return
    made = f" (attempt {request['attempt']})" if request["attempt"] > 1 else ""
    print_status(click.style(f"{one_line(request['function'])} failed{made}: {format_error(request)}", fg="red"))
    ending = traceback_end(attempts[-1]["traceback"]) if attempts else ""
    if ending:
        print_status(ending)
    print_status(f"more: localfn requests show {request['id']}")
