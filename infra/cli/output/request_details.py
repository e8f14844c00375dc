"""A request's story as text: how it stands, its times, and what happened in each attempt."""

import json
import shlex
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from infra.cli.output.formatting import ago, between, local, one_line, seconds, since, size
from infra.cli.output.progress import described, status_word, took_s
from infra.cli.output.tables import coloured, fields, shortened
from schema import exact_json

EVENT_WIDTH = 84
ERROR_WIDTH, PHASE_ERROR_WIDTH = 240, 50  # the attempt's traceback has it whole
ENDING_LINES = 8
COLOURS = {
    "completed": "green",
    "ok": "green",
    "given_back": "yellow",
    "cancelled": "yellow",
    "running": "cyan",
    None: "cyan",
}


def format_request(request: dict[str, Any], attempts: Sequence[dict[str, Any]]) -> str:
    """All there is to say about a request."""
    paragraphs = [_head(request), *(format_attempt(attempt) for attempt in attempts)]
    return "\n\n".join(paragraphs)


def _head(request: dict[str, Any]) -> str:
    event = one_line(exact_json.write(request["event"], partial(json.dumps, ensure_ascii=False)))
    pairs = [
        ("request", request["id"]),
        ("function", click.style(request["function"], bold=True)),
        ("status", coloured(status_word(request)) + described(request).removeprefix(status_word(request))),
        ("error", "" if request["cancelled"] else shortened(failure(request), ERROR_WIDTH)),
        ("attempts", f"{request['attempt']}; after {request['max_attempts']} failed ones it is given up"),
        ("queue", request["queue"]),
        ("schedule", request["schedule"] or ""),
        *_times(request),
        ("event", shortened(event, EVENT_WIDTH)),
        *((file["kind"], f"{file['name']}  {size(file['size'])}") for file in request["files"]),
    ]
    return fields(pairs)


def _times(request: dict[str, Any]) -> list[tuple[str, str]]:
    names = {"created": "created_at", "due": "available_at", "started": "started_at", "ended": "finished_at"}
    times = {name: request[key] for name, key in names.items() if request[key]}
    if times.get("due") == times["created"]:
        del times["due"]
    shown = [(name, f"{local(time)}  {ago(time)}") for name, time in times.items()]
    return [*shown, ("took", seconds(took_s(request)))] if request["finished_at"] else shown


def format_attempt(attempt: dict[str, Any]) -> str:
    """One attempt: how it ended, its phases, and its traceback."""
    outcome = attempt["outcome"]
    facts = [
        seconds(between(attempt["started_at"], attempt["finished_at"]) if outcome else since(attempt["started_at"])),
        f"by {attempt['worker']}",
        f"cold start {seconds((attempt['init_ms'] or 0) / 1000)}" if attempt["cold_start"] else "",
        f"{attempt['max_rss_mb']:.0f} MB" if attempt["max_rss_mb"] else "",
    ]
    colour = COLOURS.get(outcome, "red")
    title = click.style(f"attempt {attempt['number']}", bold=True)
    head = f"{title}  {click.style(outcome or 'running', fg=colour)}  " + ", ".join(filter(None, facts))
    lines = [head, *(_phase_told(phase, is_running=not outcome) for phase in attempt["phases"])]
    text = attempt["traceback"] or failure(attempt)
    return "\n".join([*lines, *(f"  {line}" for line in text.rstrip().splitlines())])


def _phase_told(phase: dict[str, Any], *, is_running: bool) -> str:
    """is_running: its attempt. A phase that did not end then goes on; else it was cut off, nobody knows when."""
    duration_ms = phase.get("duration_ms")
    took_s = duration_ms / 1000 if duration_ms is not None else since(phase["started_at"]) if is_running else None
    outcome = phase.get("outcome") or ("running" if is_running else "cut off")
    line = f"  {phase['phase']:<9} {seconds(took_s):>9}"
    if outcome == "ok":
        return line
    styled = click.style(outcome, fg=COLOURS.get(outcome, "red"))
    error = shortened(one_line(phase.get("error") or ""), PHASE_ERROR_WIDTH)
    return "  ".join(filter(None, (line, styled, error)))


def failure(of: dict[str, Any]) -> str:
    """`ValueError: boom`, of a request or an attempt; empty when it did not fail."""
    if not of["error_type"]:
        return ""
    message = one_line(of["error_message"] or "")
    return f"{of['error_type']}: {message}" if message else str(of["error_type"])


def last_lines(traceback: str | None) -> str:
    """The end of a traceback, where the reason stands; indented."""
    lines = (traceback or "").rstrip().splitlines()
    cut = ["  …"] if len(lines) > ENDING_LINES else []
    return "\n".join([*cut, *(f"  {line}" for line in lines[-ENDING_LINES:])])


def downloads(files: Sequence[dict[str, Any]], url: str) -> list[str]:
    """Per output file a line with the command that fetches it."""
    return [
        f"{file['name']}  {size(file['size'])}  "
        f"curl -fsS -o {shlex.quote(file['filename'])} {shlex.quote(url + file['href'])}"
        for file in files
        if file["kind"] == "output"
    ]
