"""Print command output: data on stdout, everything else on stderr; tables for people, JSON for programs."""

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import click

from infra.cli.output.formatting import clip, escape_controls, one_line, pad, width
from infra.command_name import with_command_name
from schema import exact_json

UNLIMITED_WIDTH = 1_000_000  # terminal cells; output into a pipe is never shortened
MIN_LAST_WIDTH = 24  # cells of the last column before other columns are shortened for it
STATUS_COLOURS = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "processing": "cyan",
    "pending": "yellow",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_data(text: str) -> None:
    """Print lines on stdout. Exit quietly when the reader has closed the pipe (`| head`)."""
    encoding = sys.stdout.encoding
    if sys.stdout.isatty():
        text = escape_controls(text)
    try:
        # A character that the terminal cannot encode becomes `?`, not an error.
        click.echo(text.encode(encoding, "replace").decode(encoding), color=colour_mode())
    except BrokenPipeError:
        # Redirect buffered output: otherwise the interpreter reports an error at exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        raise SystemExit(0) from None


def print_status(text: str) -> None:
    """Print a line on stderr."""
    try:
        click.echo(escape_controls(with_command_name(text)), err=True, color=colour_mode())
    except (OSError, ValueError):  # stderr is closed
        return


def colour_mode() -> bool | None:
    """Return False if NO_COLOR is set; None lets click decide by whether the output is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def print_json(value: Any) -> None:
    """Print JSON: indented on a terminal, one line in a pipe."""
    ascii_only = sys.stdout.encoding.lower().replace("-", "") != "utf8"
    indent = 2 if sys.stdout.isatty() else None
    print_data(exact_json.write(value, partial(json.dumps, indent=indent, ensure_ascii=ascii_only)))


@dataclass(frozen=True)
class Column:
    """Describe one column of a table.

    width: None uses the widest cell. colours: by cell text. min_width: the minimum width when the line is too short;
    None never shortens the column, for example an ID.
    """

    title: str
    width: int | None = None
    colours: Mapping[str, str] = field(default_factory=dict)
    min_width: int | None = None


def format_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, heading: bool = True) -> str:
    """Return aligned rows; the last column gets the rest of the line."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [_natural_width(column, [row[place] for row in cells]) for place, column in enumerate(columns)]
    widths = _fit_widths(columns, widths, line_width() - 2 * (len(columns) - 1))
    lines = [_format_line(columns, [column.title for column in columns], widths, bold=True)] if heading else []
    return "\n".join([*lines, *(_format_line(columns, row, widths) for row in cells)])


def format_fields(pairs: Iterable[tuple[str, str]]) -> str:
    """Return `name  value` lines with aligned values; empty values are omitted."""
    given = [(name, value) for name, value in pairs if value]
    widest = max((width(name) for name, _ in given), default=0)
    return "\n".join(f"{click.style(pad(name, widest), dim=True)}  {value}" for name, value in given)


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` cells on a terminal, and the whole text in a pipe."""
    return clip(text, limit) if line_width() < UNLIMITED_WIDTH else text


def colour_status(status: str) -> str:
    return click.style(status, fg=STATUS_COLOURS.get(status))


def line_width() -> int:
    """Return the width of the terminal; unlimited in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED_WIDTH


def _fit_widths(columns: Sequence[Column], widths: Sequence[int], available: int) -> list[int]:
    """Return widths that fill the line: shorten the widest columns first; the last column gets the rest."""
    fitted = [*widths[:-1], min(widths[-1], MIN_LAST_WIDTH)]
    while sum(fitted) > available:
        lengths = [
            (fitted[place] - column.min_width, place)
            for place, column in enumerate(columns)
            if column.min_width is not None and fitted[place] > column.min_width
        ]
        if not lengths:
            break
        fitted[max(lengths)[1]] -= 1
    fitted[-1] = max(available - sum(fitted[:-1]), min(widths[-1], len(columns[-1].title)))
    return fitted


def _natural_width(column: Column, cells: Sequence[str]) -> int:
    return column.width or max(width(column.title), *map(width, cells), 0)


def _format_line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int], *, bold: bool = False) -> str:
    shown = []
    for column, cell, available in zip(columns, cells, widths, strict=True):
        text = shorten(cell, available)
        padded = text if column is columns[-1] else pad(text, available)
        colour = column.colours.get(cell)
        shown.append(click.style(padded, bold=bold or None, fg=colour) if bold or colour else padded)
    return "  ".join(shown).rstrip()
