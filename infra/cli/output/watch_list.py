"""Shows a list of requests again and again: in place on a terminal, in a pipe only changed lines."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import click

from infra.api_client import UnreachableError
from infra.cli.output import request_list
from infra.cli.output.tables import print_data, print_status

INTERVAL_S = 1.0
INTERRUPTED_CODE = 130
CLEAR = "\033[H\033[J"


def watch(ask: Callable[[], Iterable[dict[str, Any]]]) -> NoReturn:
    """Go on until Ctrl-C, through restarts of the runtime. ask: the pages, as they are now."""
    known: dict[str, dict[str, Any]] = {}
    heading, is_away = True, False
    try:
        while True:
            try:
                items = request_list.merge_pages(ask())["items"]
            except UnreachableError as error:
                if not is_away:
                    print_status(f"the runtime does not answer; trying again ({error})")
                is_away = True
            else:
                is_away = False
                heading = _print_changes(items, known, heading=heading)
                known = {item["id"]: item for item in items}
            time.sleep(INTERVAL_S)
    except KeyboardInterrupt:
        click.get_current_context().exit(INTERRUPTED_CODE)


def _print_changes(items: list[dict[str, Any]], known: dict[str, dict[str, Any]], *, heading: bool) -> bool:
    """Print; return whether the next table needs a heading."""
    if sys.stdout.isatty():
        click.echo(CLEAR, nl=False)
        request_list.print_pages([{"items": items, "next_cursor": None}])
        return True
    changed = [item for item in reversed(items) if known.get(item["id"], {}).get("status") != item["status"]]
    if changed:
        print_data(request_list.format_rows(changed, heading=heading))
        sys.stdout.flush()
    return heading and not changed
