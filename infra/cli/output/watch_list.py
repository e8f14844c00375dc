"""Show a list of requests repeatedly: in place on a terminal, only changed lines in a pipe."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import click

from infra.api_client import UnreachableError
from infra.cli.output import request_list
from infra.cli.output.tables import print_data, print_status

INTERVAL_S = 1.0
CLEAR = "\033[H\033[J"


def watch(fetch: Callable[[], Iterable[dict[str, Any]]]) -> NoReturn:
    """Update the list until Ctrl-C, also while the runtime restarts. fetch: fetches the current pages."""
    previous: dict[str, dict[str, Any]] = {}
    heading, is_unreachable = True, False
    while True:
        try:
            items = request_list.merge_pages(fetch())["items"]
        except UnreachableError as error:
            if not is_unreachable:
                print_status(f"the runtime does not answer; retrying ({error})")
            is_unreachable = True
        else:
            is_unreachable = False
            heading = _print_changes(items, previous, heading=heading)
            previous = {item["id"]: item for item in items}
        time.sleep(INTERVAL_S)


def _print_changes(items: list[dict[str, Any]], previous: dict[str, dict[str, Any]], *, heading: bool) -> bool:
    """Print the list or its changes. Return whether the next table needs a heading."""
    if sys.stdout.isatty():
        click.echo(CLEAR, nl=False)
        request_list.print_pages([{"items": items, "next_cursor": None}])
        return True
    changed = [item for item in reversed(items) if previous.get(item["id"], {}).get("status") != item["status"]]
    if changed:
        print_data(request_list.format_rows(changed, heading=heading))
        sys.stdout.flush()
    return heading and not changed
