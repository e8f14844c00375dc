"""Define `localfn requests`: list, follow, cancel, retry and delete requests."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import click

from infra.api_client import ApiError, Client, connect, request_path
from infra.cli.arguments import Age, Moment, time_before
from infra.cli.group import CommandGroup
from infra.cli.output import follow_logs, request_list, watch_list
from infra.cli.output.progress import Progress, has_ended
from infra.cli.output.request_details import download_commands, format_attempt, format_request
from infra.cli.output.tables import json_option, print_data, print_json, print_status
from infra.config.settings import load

STATUSES = ("pending", "processing", "completed", "failed")
ENDED = ("completed", "failed")
PURGE_CHUNK = 200  # each is a transaction, and its files are removed: an answer within a second or two


@click.group(cls=CommandGroup)
def requests() -> None:
    """List, follow, cancel, retry and delete requests."""


@requests.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only requests with this status.")
@click.option("--cancelled/--not-cancelled", default=None, help="Only cancelled requests, or only the others.")
@click.option("--function", metavar="NAME", help="Only requests of this function.")
@click.option("--schedule", metavar="NAME", help="Only requests of this schedule.")
@click.option("--queue", metavar="QUEUE", help="Only requests of this queue.")
@click.option("--since", type=Moment(), help="Accepted at this time or later; 2h means two hours ago.")
@click.option("--until", type=Moment(), help="Accepted before this time.")
@click.option("--q", metavar="TEXT", help="Search in id, function, event and error.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Show at most N.")
@click.option("--cursor", metavar="CURSOR", help="Continue where the last list ended.")
@click.option("--all", "everything", is_flag=True, help="Show all matching requests.")
@click.option("--watch", is_flag=True, help="Update the list when it changes, until Ctrl-C.")
@json_option
def show_all(watch: bool, limit: int, cursor: str | None, everything: bool, as_json: bool, **filters: Any) -> None:
    """List requests, newest first."""
    if watch and (as_json or everything or cursor):
        raise click.UsageError("--watch cannot be combined with --json, --all or --cursor.")
    with connect(load()) as client:
        if watch:
            watch_list.watch(lambda: request_list.fetch_pages(client, filters, None, limit))
        pages = request_list.fetch_pages(client, filters, cursor, None if everything else limit)
        if as_json:
            print_json(request_list.merge_pages(pages))
        else:
            request_list.print_pages(pages)


@requests.command()
@click.argument("id")
@json_option
def show(id: str, as_json: bool) -> None:
    """Show a request: status, times and attempts."""
    with connect(load()) as client:
        id = client.resolve_id(id)
        request = client.get(request_path(id))
        if as_json:
            return print_json(request)
        print_data(format_request(request, client.get(request_path(id, "attempts"))["items"]))
    return None


@requests.command()
@click.argument("id")
@json_option
def result(id: str, as_json: bool) -> None:
    """Print the result's data as JSON; with --json the whole response, including files."""
    with connect(load()) as client:
        answer = client.get(request_path(client.resolve_id(id), "result"))
        print_json(answer if as_json else answer["data"])
        for line in [] if as_json else download_commands(answer["files"], client.url):
            print_status(f"  {line}")


@requests.command()
@click.argument("id")
@json_option
def attempts(id: str, as_json: bool) -> None:
    """Show each attempt: outcome, phases, durations and traceback."""
    with connect(load()) as client:
        answer = client.get(request_path(client.resolve_id(id), "attempts"))
    if as_json:
        print_json(answer)
    elif answer["items"]:
        print_data("\n\n".join(map(format_attempt, answer["items"])))
    else:
        print_status("no attempt has started yet.")


@requests.command()
@click.argument("id")
@click.option("-f", "--follow", is_flag=True, help="Print new lines until the request has ended.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Only the log of attempt N.")
@json_option
def logs(id: str, follow: bool, attempt: int | None, as_json: bool) -> None:
    """Print the function's output; with --json one object per line."""
    with connect(load()) as client:
        tail = follow_logs.LogFollower(client, client.resolve_id(id), attempt, as_json)
        tail.follow() if follow else tail.print_new()


@requests.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
def cancel(ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel pending and running requests."""

    def call(client: Client, id: str) -> Any:
        return client.post(request_path(id, "cancel"))

    _for_each(ids, as_json, call, lambda request: "cancelled" if has_ended(request) else "is being cancelled")


@requests.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
def retry(ids: tuple[str, ...], as_json: bool) -> None:
    """Run failed requests again."""

    def call(client: Client, id: str) -> Any:
        return client.post(request_path(id, "retry"))

    _for_each(ids, as_json, call, lambda _: "will run again")


@requests.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
def run(ids: tuple[str, ...], as_json: bool) -> None:
    """Run waiting requests now, before their scheduled time or their next attempt."""

    def call(client: Client, id: str) -> Any:
        return client.post(request_path(id, "run"))

    _for_each(ids, as_json, call, lambda _: "queued to run now")


@requests.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@json_option
def delete(ids: tuple[str, ...], as_json: bool) -> None:
    """Delete requests that do not run, with their results, files and logs."""

    def call(client: Client, id: str) -> Any:
        client.delete(request_path(id))
        return {"id": id}

    _for_each(ids, as_json, call, lambda _: "deleted")


def _for_each(
    ids: tuple[str, ...],
    as_json: bool,
    act: Callable[[Client, str], dict[str, Any]],
    outcome: Callable[[dict[str, Any]], str],
) -> None:
    """Call `act` for every ID, and continue after an error. Exit with the code of the first error."""
    items, errors, code = [], [], 0
    with connect(load()) as client:
        for id in ids:
            try:
                id = client.resolve_id(id)
                items.append(act(client, id))
            except ApiError as error:
                print_status(f"localfn: {id}: {error}")
                errors.append({"id": id, "status": error.status, "detail": str(error)})
                code = code or error.exit_code
            else:
                if not as_json:
                    print_data(f"{id}  {outcome(items[-1])}")
    if as_json:
        print_json({"items": items, "errors": errors})
    click.get_current_context().exit(code)


@requests.command()
@click.option("--older-than", type=Age(), default="7d", show_default=True, help="Only requests accepted earlier.")
@click.option("--status", type=click.Choice(ENDED), help="Only requests with this status.")
@click.option("--function", metavar="NAME", help="Only requests of this function.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def purge(older_than: timedelta, status: str | None, function: str | None, yes: bool, as_json: bool) -> None:
    """Delete old ended requests with their results, files and logs."""
    filters: dict[str, Any] = {"until": time_before(older_than), "function": function}
    with connect(load()) as client:
        statuses = (status,) if status else ENDED
        found = [id for one in statuses for id in request_list.fetch_ids(client, filters | {"status": one})]
        if found and not yes and not _confirm_delete(len(found)):
            print_status("no requests deleted.")
            return
        deleted = _purge_all(client, found)
    kept = len(found) - deleted
    if as_json:
        print_json({"deleted": deleted, "kept": kept})
    else:
        print_data(f"{deleted} deleted" + (f", {kept} kept: running again, or deleted already" if kept else ""))


def _confirm_delete(count: int) -> bool:
    try:
        subject = "1 request with its" if count == 1 else f"{count} requests with their"
        return click.confirm(f"Delete {subject} results, files and logs?", err=True)
    except click.Abort:
        raise click.UsageError("no answer on stdin; use --yes to delete without confirmation.") from None


def _purge_all(client: Client, ids: Sequence[str]) -> int:
    """Delete requests in chunks; return how many were deleted. Requests that were retried meanwhile are kept."""
    progress, deleted = Progress(), 0
    try:
        for first in range(0, len(ids), PURGE_CHUNK):
            if first:
                progress.update(f"{first} of {len(ids)} deleted")
            body = {"action": "delete", "ids": ids[first : first + PURGE_CHUNK]}
            deleted += client.post("/api/requests/bulk", json=body)["done"]
    finally:
        progress.clear()
    return deleted
