"""Format a request for a terminal: its status, its times and its attempts."""

import json
import shlex
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from infra.cli.output.formatting import (
    format_seconds,
    format_size,
    local_time,
    one_line,
    relative_time,
    seconds_between,
    seconds_since,
)
from infra.cli.output.progress import describe_request, displayed_status, duration_s
from infra.cli.output.tables import colour_status, format_fields, shorten
from schema import exact_json

EVENT_WIDTH = 84
ERROR_WIDTH, PHASE_ERROR_WIDTH = 240, 50  # the attempt's traceback contains the whole message
MAX_TRACEBACK_LINES = 8
COLOURS = {
    "completed": "green",
    "ok": "green",
    "given_back": "yellow",
    "cancelled": "yellow",
    "running": "cyan",
    None: "cyan",
}


def format_request(request: dict[str, Any], attempts: Sequence[dict[str, Any]]) -> str:
    """Return all details of a request and of its attempts."""
    paragraphs = [_format_summary(request), *(format_attempt(attempt) for attempt in attempts)]
    return "\n\n".join(paragraphs)


def _format_summary(request: dict[str, Any]) -> str:
    event = one_line(exact_json.write(request["event"], partial(json.dumps, ensure_ascii=False)))
    pairs = [
        ("request", request["id"]),
        ("function", click.style(request["function"], bold=True)),
        (
            "status",
            colour_status(displayed_status(request))
            + describe_request(request).removeprefix(displayed_status(request)),
        ),
        ("error", "" if request["cancelled"] else shorten(format_error(request), ERROR_WIDTH)),
        ("attempts", f"{request['attempt']}; at most {request['max_attempts']} may fail"),
        ("queue", request["queue"]),
        ("schedule", request["schedule"] or ""),
        *_times(request),
        ("event", shorten(event, EVENT_WIDTH)),
        *((file["kind"], f"{file['name']}  {format_size(file['size'])}") for file in request["files"]),
    ]
    return format_fields(pairs)


def _times(request: dict[str, Any]) -> list[tuple[str, str]]:
    names = {"created": "created_at", "due": "available_at", "started": "started_at", "ended": "finished_at"}
    times = {name: request[key] for name, key in names.items() if request[key]}
    if times.get("due") == times["created"]:
        del times["due"]
    shown = [(name, f"{local_time(time)}  {relative_time(time)}") for name, time in times.items()]
    return [*shown, ("took", format_seconds(duration_s(request)))] if request["finished_at"] else shown


def format_attempt(attempt: dict[str, Any]) -> str:
    """Return the outcome of one attempt, its phases and its traceback."""
    outcome = attempt["outcome"]
    facts = [
        format_seconds(
            seconds_between(attempt["started_at"], attempt["finished_at"])
            if outcome
            else seconds_since(attempt["started_at"])
        ),
        f"by {attempt['worker']}",
        f"cold start {format_seconds((attempt['init_ms'] or 0) / 1000)}" if attempt["cold_start"] else "",
        f"{attempt['max_rss_mb']:.0f} MB" if attempt["max_rss_mb"] else "",
    ]
    colour = COLOURS.get(outcome, "red")
    title = click.style(f"attempt {attempt['number']}", bold=True)
    head = f"{title}  {click.style(outcome or 'running', fg=colour)}  " + ", ".join(filter(None, facts))
    lines = [head, *(_format_phase(phase, is_running=not outcome) for phase in attempt["phases"])]
    text = attempt["traceback"] or format_error(attempt)
    return "\n".join([*lines, *(f"  {line}" for line in text.rstrip().splitlines())])


def _format_phase(phase: dict[str, Any], *, is_running: bool) -> str:
    """Return one phase as a line. is_running: the attempt still runs; else an unfinished phase was cut off."""
    duration_ms = phase.get("duration_ms")
    elapsed_s = seconds_since(phase["started_at"]) if is_running else None
    phase_s = elapsed_s if duration_ms is None else duration_ms / 1000
    outcome = phase.get("outcome") or ("running" if is_running else "cut off")
    line = f"  {phase['phase']:<9} {format_seconds(phase_s):>9}"
    if outcome == "ok":
        return line
    styled = click.style(outcome, fg=COLOURS.get(outcome, "red"))
    error = shorten(one_line(phase.get("error") or ""), PHASE_ERROR_WIDTH)
    return "  ".join(filter(None, (line, styled, error)))


def format_error(of: dict[str, Any]) -> str:
    """Return `ValueError: boom` for a request or an attempt; empty if it did not fail."""
    if not of["error_type"]:
        return ""
    message = one_line(of["error_message"] or "")
    return f"{of['error_type']}: {message}" if message else str(of["error_type"])


def traceback_end(traceback: str | None) -> str:
    """Return the last lines of a traceback, indented: they name the error."""
    lines = (traceback or "").rstrip().splitlines()
    cut = ["  …"] if len(lines) > MAX_TRACEBACK_LINES else []
    return "\n".join([*cut, *(f"  {line}" for line in lines[-MAX_TRACEBACK_LINES:])])


def download_commands(files: Sequence[dict[str, Any]], url: str) -> list[str]:
    """Return one line per output file, with the command that downloads it."""
    return [
        f"{file['name']}  {format_size(file['size'])}  "
        f"curl -fsS -o {shlex.quote(file['filename'])} {shlex.quote(url + file['href'])}"
        for file in files
        if file["kind"] == "output"
    ]
