"""Format a schedule for a terminal: its rule, its times and its policies."""

import json
from functools import partial
from typing import Any

import click

from infra.cli.output.formatting import local_time, one_line, relative_time
from infra.cli.output.progress import displayed_status
from infra.cli.output.tables import colour_status, format_fields, shorten
from schema import exact_json

EVENT_WIDTH = 60
MISFIRE_TEXTS = {"skip": "no request", "once": "one request for all", "all": "one request each"}
OVERLAP_TEXTS = {"allow": "fires while its last request runs", "skip": "does not fire while its last request runs"}


def format_schedule(item: dict[str, Any]) -> str:
    """Return the fields of a schedule, one per line."""
    last = item["last_request"]
    event = one_line(exact_json.write(item["event"], partial(json.dumps, ensure_ascii=False)))
    return format_fields(
        [
            ("schedule", click.style(item["name"], bold=True)),
            ("about", one_line(item["description"])),
            ("function", item["function"]),
            ("event", "" if item["event"] == {} else shorten(event, EVENT_WIDTH)),
            ("queue", item["queue"] or ""),
            ("expression", f"{item['expression']}  {item['timezone']}"),
            ("enabled", "yes" if item["enabled"] else "no"),
            ("next", _format_time(item["next_run_at"]) or "none"),
            ("last", f"{colour_status(displayed_status(last))}  {last['id']}" if last else ""),
            ("runs", format_runs(item)),
            ("not before", _format_time(item["start_at"])),
            ("not after", _format_time(item["end_at"])),
            ("missed", MISFIRE_TEXTS[item["misfire"]]),
            ("overlap", OVERLAP_TEXTS[item["overlap"]]),
            ("declared", "in code: the next start restores the declaration" if item["declared"] else ""),
            ("error", click.style(item["error"], fg="red") if item["error"] else ""),
        ]
    )


def format_runs(item: dict[str, Any]) -> str:
    """Return the number of runs, with their limit if the schedule has one."""
    return str(item["total_runs"]) + (f"/{item['max_runs']}" if item["max_runs"] else "")


def _format_time(time: str | None) -> str:
    return f"{local_time(time)}  {relative_time(time)}" if time else ""
