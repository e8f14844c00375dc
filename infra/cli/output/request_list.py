"""Fetch pages of requests as needed, and print them as one table."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.api_client import Client
from infra.cli.output.formatting import format_seconds, relative_time
from infra.cli.output.progress import describe_request, displayed_status, duration_s
from infra.cli.output.request_details import format_error
from infra.cli.output.tables import STATUS_COLOURS, Column, format_table, print_data, print_status

PAGE_SIZE = 500  # the maximum of the API
COLUMNS = (
    # Fixed widths keep the pages of one list aligned.
    Column("ID", 36),
    Column("FUNCTION", 16, min_width=8),
    Column("STATUS", 10, STATUS_COLOURS),
    Column("AGE", 6),
    Column("MORE", min_width=12),
)


def fetch_pages(
    client: Client, filters: Mapping[str, Any], cursor: str | None = None, limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the pages of the API, up to the last one or up to `limit` requests."""
    left = limit
    while left is None or left > 0:
        page = client.get("/api/requests", **filters, cursor=cursor, limit=min(left or PAGE_SIZE, PAGE_SIZE))
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return
        left = None if left is None else left - len(page["items"])


def fetch_ids(client: Client, filters: Mapping[str, Any]) -> list[str]:
    return [item["id"] for page in fetch_pages(client, filters) for item in page["items"]]


def merge_pages(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Merge pages into one response of the API's shape."""
    items: list[dict[str, Any]] = []
    cursor = None
    for page in found:
        items += page["items"]
        cursor = page["next_cursor"]
    return {"items": items, "next_cursor": cursor}


def print_pages(found: Iterable[dict[str, Any]]) -> None:
    cursor, count = None, 0
    for page in found:
        cursor = page["next_cursor"]
        if page["items"]:
            print_data(format_rows(page["items"], heading=count == 0))
        count += len(page["items"])
    if not count:
        print_status("no matching requests.")
    if cursor is not None:
        print_status(f"more requests exist; use --all, or --cursor {cursor}")


def format_rows(items: Iterable[dict[str, Any]], *, heading: bool) -> str:
    return format_table(COLUMNS, map(_row, items), heading=heading)


def _row(request: dict[str, Any]) -> tuple[str, ...]:
    status = displayed_status(request)
    if status == "completed":
        more = f"took {format_seconds(duration_s(request))}"
    elif status == "cancelled":
        more = f"after {format_seconds(duration_s(request))}" if request["started_at"] else "before it started"
    else:
        more = format_error(request) or describe_request(request).removeprefix(status)
    return request["id"], request["function"], status, relative_time(request["created_at"]).removesuffix(" ago"), more
