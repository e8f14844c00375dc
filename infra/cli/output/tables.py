"""How commands print: data on stdout, everything else on stderr; tables for a person, JSON for a program."""

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

UNLIMITED_WIDTH = 1_000_000  # cells of a line that no person reads on a terminal: nothing in it is shortened
MIN_LAST_WIDTH = 24  # cells that the last column gets before others are shortened for it
STATUS_COLOURS = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "processing": "cyan",
    "pending": "yellow",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_data(text: str) -> None:
    """A line, or several, on stdout. Ends the program quietly when nobody reads any more (`| head`)."""
    encoding = sys.stdout.encoding
    if sys.stdout.isatty():
        text = escape_controls(text)
    try:
        # What the terminal cannot show becomes `?`, not an error.
        click.echo(text.encode(encoding, "replace").decode(encoding), color=colour_mode())
    except BrokenPipeError:
        # What is buffered must go somewhere, or the interpreter complains at its very end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        raise SystemExit(0) from None


def print_status(text: str) -> None:
    """A line on stderr."""
    try:
        click.echo(escape_controls(with_command_name(text)), err=True, color=colour_mode())
    except (OSError, ValueError):  # nobody reads our remarks
        return


def colour_mode() -> bool | None:
    """False when NO_COLOR is set; None leaves it to click, which asks whether it writes to a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def print_json(value: Any) -> None:
    """Indented on a terminal, in one line elsewhere."""
    ascii_only = sys.stdout.encoding.lower().replace("-", "") != "utf8"
    indent = 2 if sys.stdout.isatty() else None
    print_data(exact_json.write(value, partial(json.dumps, indent=indent, ensure_ascii=ascii_only)))


@dataclass(frozen=True)
class Column:
    """One column of a table. width: None is that of its widest cell. colours: by the cell's text.

    least: the width to which it may be shortened where the line is too short; None: it stays whole, as an id has to.
    """

    title: str
    width: int | None = None
    colours: Mapping[str, str] = field(default_factory=dict)
    least: int | None = None


def format_table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, heading: bool = True) -> str:
    """Aligned rows; the last column gets what is left of the line."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [_natural_width(column, [row[place] for row in cells]) for place, column in enumerate(columns)]
    widths = _fit_widths(columns, widths, line_width() - 2 * (len(columns) - 1))
    lines = [_format_line(columns, [column.title for column in columns], widths, bold=True)] if heading else []
    return "\n".join([*lines, *(_format_line(columns, row, widths) for row in cells)])


def format_fields(pairs: Iterable[tuple[str, str]]) -> str:
    """`name  value` lines, the values aligned; an empty value is left out."""
    given = [(name, value) for name, value in pairs if value]
    widest = max((width(name) for name, _ in given), default=0)
    return "\n".join(f"{click.style(pad(name, widest), dim=True)}  {value}" for name, value in given)


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` cells on a terminal, and all in a pipe."""
    return clip(text, limit) if line_width() < UNLIMITED_WIDTH else text


def colour_status(status: str) -> str:
    return click.style(status, fg=STATUS_COLOURS.get(status))


def line_width() -> int:
    """Return the width of the terminal; endless in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED_WIDTH


def _fit_widths(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """Widths that together fill the room: the widest columns are shortened first, the last one gets what is left."""
    found = [*widths[:-1], min(widths[-1], MIN_LAST_WIDTH)]
    while sum(found) > room:
        lengths = [
            (found[place] - column.least, place)
            for place, column in enumerate(columns)
            if column.least is not None and found[place] > column.least
        ]
        if not lengths:
            break
        found[max(lengths)[1]] -= 1
    found[-1] = max(room - sum(found[:-1]), min(widths[-1], len(columns[-1].title)))
    return found


def _natural_width(column: Column, cells: Sequence[str]) -> int:
    return column.width or max(width(column.title), *map(width, cells), 0)


def _format_line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int], *, bold: bool = False) -> str:
    shown = []
    for column, cell, room in zip(columns, cells, widths, strict=True):
        text = shorten(cell, room)
        padded = text if column is columns[-1] else pad(text, room)
        colour = column.colours.get(cell)
        shown.append(click.style(padded, bold=bold or None, fg=colour) if bold or colour else padded)
    return "  ".join(shown).rstrip()
