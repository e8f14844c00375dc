"""Define `localfn functions`: list, show and call functions."""

import contextlib
import json
from pathlib import Path
from typing import Any

import click

from infra.api_client import Client, connect, function_path, request_path
from infra.cli.arguments import EVENT_PART, Event, NamedFile, Seconds
from infra.cli.group import INTERRUPTED_CODE, CommandGroup
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

COLUMNS = (
    Column("FUNCTION", min_width=26),
    Column("QUEUE", min_width=5),
    Column("TIMEOUT"),
    Column("ATTEMPTS"),
    Column("MEMORY"),
    Column("DESCRIPTION", min_width=11),
)


@click.group(cls=CommandGroup)
def functions() -> None:
    """List, show and call functions."""


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
        print_status(
            "no functions found; `localfn new` creates one, or set LOCALFN_FUNCTIONS to the folders with yours."
        )
    if found["errors"]:
        print_data("\n" + click.style("These modules fail to import:", fg="red"))
        print_data("\n".join(f"  {_import_failure(error)}" for error in found["errors"]))
    for file in found["skipped"]:
        print_status(f"not discovered: {file['source_file']}: {file['reason']}")
    return None


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    description = "its file no longer imports" if item["error"] else item["description"].split("\n")[0]
    attempts, memory = str(item["max_attempts"]), f"{item['memory_mb']} MB"
    return item["name"], item["queue"], format_seconds(item["timeout_s"]), attempts, memory, description


def _import_failure(error: dict[str, Any]) -> str:
    return f"{error['source_file']}  {format_error(error)}"


@functions.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one function: its limits, its input and its source file."""
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
                ("network", "yes" if item["network"] else "only while its module is imported"),
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
@click.option("--data", "event", type=Event(), default="{}", show_default=True, help="The event.")
@click.option("--file", "files", type=NamedFile(), multiple=True, help="A file to upload; repeatable.")
@click.option("--wait", is_flag=True, help="Wait until the request has ended, and print its result.")
@click.option("--timeout", "timeout_s", type=Seconds(), help="With --wait: wait at most S seconds.")
@click.option("--key", metavar="KEY", help="Idempotency key: a second call with this key returns the first request.")
@click.option("--delay", "delay_s", type=Seconds(), help="Start after S seconds.")
@click.option("--queue", metavar="QUEUE", help="Use this queue instead of the function's own.")
@json_option
@click.pass_context
def invoke(ctx: click.Context, /, wait: bool, timeout_s: float | None, as_json: bool, **submission: Any) -> None:
    """Call a function. Print the request's ID, or with --wait its result as JSON."""
    if timeout_s is not None and not wait:
        raise click.UsageError("--timeout needs --wait: it limits the wait, not the function.")
    with connect(load()) as client:
        progress = Progress()
        request = _submit(client, **submission)
        if not wait:
            return _print_accepted(request, as_json)
        try:
            limit = WaitLimit(request["id"], timeout_s, progress)
            ctx.exit(_wait_and_print(client, limit, progress, request["id"], as_json))
        except KeyboardInterrupt:
            progress.clear()
            print_status(f"The request continues. To cancel it: localfn requests cancel {request['id']}")
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
    # The API accepts plain digits only: `10`, not `1e1`.
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
        raise click.UsageError("two --file options have the same NAME.")
    if key is not None and not (key.isascii() and key.isprintable() and key):
        raise click.UsageError("--key must consist of printable ASCII characters.")


def _print_accepted(request: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(request)
    else:
        print_data(request["id"])
    print_status(f"accepted; to follow its log: localfn requests logs -f {request['id']}")


def _wait_and_print(client: Client, wait_limit: WaitLimit, progress: Progress, request_id: str, as_json: bool) -> int:
    """Wait until the request has ended, print its result or its error, and return the exit code."""
    request = wait_until_ended(client, request_id, wait_limit, progress)
    completed = request["status"] == "completed"
    part = request_path(request_id, "result" if completed else "attempts")
    more = wait_limit.retry(lambda limit_s: client.get(part, timeout_s=limit_s))
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
    """Print why the request failed: one line, and the end of the traceback if there is one."""
    if request["cancelled"]:
        name = one_line(request["function"])
        print_status(f"{name} was cancelled; to run it again: localfn requests retry {request['id']}")
        return
    number = f" (attempt {request['attempt']})" if request["attempt"] > 1 else ""
    print_status(click.style(f"{one_line(request['function'])} failed{number}: {format_error(request)}", fg="red"))
    last_lines = traceback_end(attempts[-1]["traceback"]) if attempts else ""
    if last_lines:
        print_status(last_lines)
    print_status(f"details: localfn requests show {request['id']}")
