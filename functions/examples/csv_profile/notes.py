"""Say which assumptions were made while a file was read, and which parts of it look like a mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from examples.csv_profile import kinds
from examples.csv_profile.reading import Table
from examples.csv_profile.summary import Column
from examples.csv_profile.words import counted, listed

MANY_LINES = 20


def warnings(table: Table, columns: list[Column], chosen_markers: frozenset[str]) -> list[str]:
    """Return one text for each kind of trouble. chosen_markers: those of the event, which need no warning."""
    return [
        *_of_the_file(table),
        *_of_the_names(table),
        *_of_the_rows(table),
        *_of_the_markers(table, chosen_markers),
        *_of_the_columns(columns),
    ]


def _of_the_file(table: Table) -> Iterator[str]:
    if not table.names:
        yield "the file is empty"
    if not table.is_encoding_certain:
        yield f'the file is not UTF-8 and was read as {table.encoding}; send "encoding" if that is wrong'
    if table.separator:
        yield f"the first line, sep={table.separator}, names a delimiter and was not taken for the columns' names"
    if table.nul_characters:
        yield f"the file contains NUL characters (U+0000); {table.nul_characters:,} were removed"


def _of_the_names(table: Table) -> Iterator[str]:
    repeats = [name for name, count in Counter(filter(None, table.header)).items() if count > 1]
    if repeats:
        yield f"columns of the same name were given numbers: {listed(repeats)}"
    unnamed = [name for name, wanted in zip(table.names, table.header) if not wanted]
    if unnamed:
        yield f"columns without a name were named after their place: {listed(unnamed)}"
    cut = [name for name, wanted in zip(table.names, table.header) if len(wanted) > len(name)]
    if cut:
        yield f"long names were cut: {listed(cut)}"
    if table.rows and table.header and all(kinds.read(name)[0] in kinds.ORDERED for name in table.header):
        yield "the first line was taken for names but looks like values; send has_header=false if it is a row"
    if len(table.header) == 1 and table.hidden_delimiter:
        yield (
            f"the first line was taken for the only name, but {table.hidden_delimiter!r} splits the lines below it; "
            "leave a title out"
        )


def _of_the_rows(table: Table) -> Iterator[str]:
    if table.short_rows:
        yield (
            f"{counted(table.short_rows, 'row')} had fewer cells than there are columns; "
            f"the others count as missing (first on line {table.first_short_line:,})"
        )
    if table.long_rows:
        yield (
            f"{counted(table.long_rows, 'row')} had more cells than there are columns; "
            f"the extra cells were removed (first on line {table.first_long_line:,})"
        )
    lines, first = table.longest_record
    if lines > MANY_LINES:
        yield f"the row on line {first:,} spans {lines:,} lines; is its quote closed where it should be?"


def _of_the_markers(table: Table, chosen_markers: frozenset[str]) -> Iterator[str]:
    columns: dict[str, list[str]] = {}
    for name, counts in zip(table.names, table.markers):
        for marker in counts:
            columns.setdefault(marker, []).append(f"{name} ({counts[marker]:,})")
    for marker in sorted(columns.keys() - chosen_markers):
        yield (
            f"{marker!r} was counted as missing in {listed(columns[marker])}; "
            "send keep_default_na=false if it is a value"
        )


def _of_the_columns(columns: list[Column]) -> Iterator[str]:
    foreign = [column.name for column in columns if column.has_foreign_numbers]
    if foreign:
        yield (
            "texts that may be numbers, with a decimal comma or with separators between thousands: "
            f'{listed(foreign)}; send decimal="," if a comma begins the fraction'
        )
    approximate = [column.name for column in columns if column.facts.get("approximate")]
    if approximate:
        yield f"too many distinct values to count exactly: {listed(approximate)}"
