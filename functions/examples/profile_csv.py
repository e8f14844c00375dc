"""Profile the columns of a CSV file. Shows an upload, progress, output files and a validate hook."""

from __future__ import annotations

import codecs
from typing import Any

from examples.csv_profile import chart, kinds
from examples.csv_profile.notes import warnings
from examples.csv_profile.reading import MANY_COLUMNS, Table, UnreadableError, write_rows
from examples.csv_profile.summary import Column, summarise
from examples.csv_profile.tally import Tally, relieve
from examples.csv_profile.words import counted
from localfn import Context, ValidationError, function

# Distinct texts held for all columns together, up to 650 bytes each; above it the largest column is summarised.
MAX_DISTINCT = 1_000_000

INPUT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "csv": {"type": "string", "description": "The CSV itself, in place of an upload named csv"},
        "delimiter": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1,
            "pattern": '[^"\r\n]',
            "description": "Default: that of a first line sep=…, else comma, semicolon, tab or bar, whichever fits",
        },
        "encoding": {
            "type": "string",
            "minLength": 1,
            "description": "Default: the byte order mark's, else utf-8, else utf-16, cp1252 or latin-1 with a warning",
        },
        "na_values": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Texts for a missing value, besides the default ones",
        },
        "keep_default_na": {
            "type": "boolean",
            "default": True,
            "description": "false: only empty cells and na_values are missing. Default: these, too: "
            + " ".join(sorted(kinds.MISSING - {""})),
        },
        "decimal": {"enum": [".", ","], "default": ".", "description": "Begins the fraction of a number"},
        "has_header": {
            "type": "boolean",
            "default": True,
            "description": "false: name the columns column_1, column_2 …",
        },
    },
}


@function(timeout_s=300, max_attempts=2, memory_mb=1024, input=INPUT)
def profile_csv(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Profile a CSV file: per column its kind, missing and distinct values, range, quantiles, top values.

    Send the file as the upload `csv`, or its text as {"csv": "a,b\\n1,2"}. Returns {"rows", "columns",
    "encoding", "delimiter", "ragged_rows": {"short", "long"}, "warnings": [text]}. columns, in the file's order:
    {NAME: {"kind", "missing", "distinct", "min", "max", "mean", "std", "quantiles": {"p05", "p25", "p50", "p75",
    "p95"}, "top": [{"value", "count"}]}}. Kinds: integer (up to 38 digits), number, boolean, date, datetime, text,
    empty; facts that a kind does not have are null. A column with too many distinct values to count them all says
    "approximate": true. warnings: assumptions about the file, and likely mistakes in it.
    Writes cleaned.csv (UTF-8, commas, cells trimmed, missing ones empty, nothing else changed) and chart.svg.
    """
    try:
        with _open(event, context) as table:
            tallies = _read(table, event.get("decimal", "."), context)
    except UnreadableError as error:
        raise ValidationError(f"the CSV cannot be read: {error}") from None
    context.progress(0.9, f"summing up {len(tallies)} columns")
    columns = [summarise(name, tally, len(tallies) > MANY_COLUMNS) for name, tally in zip(table.names, tallies)]
    _save_chart(columns, table.rows, context)
    context.progress(1.0, counted(table.rows, "row"))
    context.logger.info("profiled %s of %s", counted(table.rows, "row"), counted(len(columns), "column"))
    return {
        "rows": table.rows,
        "columns": {column.name: column.facts for column in columns},
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "ragged_rows": {"short": table.short_rows, "long": table.long_rows},
        "warnings": warnings(table, columns, frozenset(event.get("na_values", ()))),
    }


@profile_csv.validate
def check(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Reject an event without exactly one CSV, or with an unknown encoding."""
    if ("csv" in event) == ("csv" in context.files):
        sent = ", ".join(sorted(context.files)) or "none"
        raise ValidationError(
            f'send one CSV, either as the upload "csv" or as the event\'s "csv" (uploads sent: {sent})'
        )
    encoding = event.get("encoding")
    if encoding is not None:
        try:
            "".encode(encoding)  # also rejects codecs other than text encodings, such as base64
            event = {**event, "encoding": codecs.lookup(encoding).name}
        except (LookupError, ValueError):
            raise ValidationError(f"encoding: {encoding!r} is not a text encoding; use one such as utf-8") from None
    return event


def _open(event: dict[str, Any], context: Context) -> Table:
    source, encoding = context.files.get("csv"), event.get("encoding")
    if source is None:
        source, encoding = context.workdir / "inline.csv", "utf-8"
        source.write_bytes(event["csv"].encode(encoding, "replace"))
    usual = kinds.MISSING if event.get("keep_default_na", True) else frozenset[str]()
    missing = usual.union(event.get("na_values", ()))
    return Table(source, encoding, event.get("delimiter"), event.get("has_header", True), missing)


def _read(table: Table, decimal: str, context: Context) -> list[Tally]:
    """Read the table once: count every column, and write cleaned.csv on the way."""
    tallies = [Tally(decimal, len(table.names)) for _ in table.names]
    cleaned = context.workdir / "cleaned.csv"
    with cleaned.open("w", encoding="utf-8", newline="") as file:
        if table.names:
            write_rows(file, [[name] for name in table.names])
        for columns in table.batches():
            for tally, cells in zip(tallies, columns):
                tally.add(cells)
            relieve(tallies, MAX_DISTINCT)
            write_rows(file, columns)
            context.progress(0.9 * table.fraction_read(), counted(table.rows, "row"))
    context.save_file(cleaned)
    return tallies


def _save_chart(columns: list[Column], rows: int, context: Context) -> None:
    path = context.workdir / "chart.svg"
    path.write_text(chart.draw(columns, rows), encoding="utf-8")
    context.save_file(path)
