"""Turn a CSV file into clean columns, a batch of rows at a time.

Cleaning evens out ragged rows, trims cells and empties those that mean a missing value. It changes no other cell:
leading zeros, wide numbers, dates and decimal commas stay the texts that they are.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TextIO

from examples.csv_profile.detection import (
    detect_delimiter,
    detect_encoding,
    hidden_delimiter,
    other_format,
    separator_line,
)

CELLS_PER_BATCH = 20_000
MIN_ROWS_PER_BATCH = 50  # each batch costs some time per column, which a wide table pays seldom
MAX_COLUMNS = 10_000
MAX_CELL_CHARACTERS = 1_048_576
# A result has a limit, too, in which the names of all columns have to fit.
MANY_COLUMNS = 1_000
MAX_NAME_CHARACTERS, MAX_NAME_CHARACTERS_OF_MANY = 200, 60
_SAMPLE_CHARACTERS = 65_536

Columns = list[list[str]]


class UnreadableError(Exception):
    """The file cannot be read as a table."""


class Table:
    """A CSV file opened for one pass.

    names: of its columns; header: the same as the file has them. The counts grow while `batches()` is read:
    rows; short_rows, long_rows and the lines of the first of each; nul_characters that were removed; markers: for
    each column, how often which text was taken for a missing value; longest_record: its lines, and its first line.
    """

    def __init__(
        self, path: Path, encoding: str | None, delimiter: str | None, has_header: bool, missing: frozenset[str]
    ) -> None:
        other = other_format(path)
        if other:
            raise UnreadableError(other)
        self.encoding, self.is_encoding_certain = (encoding, True) if encoding else detect_encoding(path)
        self.size_bytes = path.stat().st_size
        self.rows = self.short_rows = self.long_rows = self.nul_characters = 0
        self.first_short_line = self.first_long_line = 0
        self.longest_record = (1, 1)
        self._missing = missing - {""}
        self._is_at_end = False
        self._bytes = path.open("rb")
        # newline=None on purpose: CRLF and CR become LF inside quoted cells, too.
        self._file = io.TextIOWrapper(self._bytes, encoding=_past_the_mark(self.encoding), newline=None)
        try:
            self.separator, self.delimiter = self._read_delimiter(delimiter)
            self._reader = csv.reader(
                self._lines(), delimiter=self.delimiter, skipinitialspace=self.delimiter not in " \t"
            )
            self._records = self._read_records()
            first = next(self._records, [])
            if len(first) > MAX_COLUMNS:
                raise UnreadableError(
                    f"line {self._line} has {len(first):,} columns, {MAX_COLUMNS:,} can be profiled; "
                    f"is the delimiter {self.delimiter!r}?"
                )
        except BaseException:
            self._file.close()
            raise
        self._first_row = None if has_header else first
        self.header = [name.strip() for name in first] if has_header else []
        self.names = unique_names(self.header if has_header else [""] * len(first))
        self.markers = [Counter[str]() for _ in self.names]

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def batches(self) -> Iterator[Columns]:
        """Read the table's columns, some rows at a time: cells trimmed, missing ones empty, all equally long."""
        rows = self._rows()
        batch = [self._first_row] if self._first_row else []
        rows_per_batch = max(MIN_ROWS_PER_BATCH, CELLS_PER_BATCH // max(1, len(self.names)))
        while True:
            batch += islice(rows, rows_per_batch)
            if not batch:
                return
            self.rows += len(batch)
            columns = [[cell.strip() for cell in column] for column in zip(*batch)]
            yield [self._without_markers(column, counts) for column, counts in zip(columns, self.markers)]
            batch = []

    def fraction_read(self) -> float:
        """Return how far the file is read, from 0 to 1."""
        return min(1.0, self._bytes.tell() / self.size_bytes) if self.size_bytes else 1.0

    @property
    def _line(self) -> int:
        """Return the line of the file on which the last record ended."""
        return self._reader.line_num + (1 if self.separator else 0)

    def _without_markers(self, column: list[str], counts: Counter[str]) -> list[str]:
        found = self._missing.intersection(column)
        if not found:
            return column
        counts.update({marker: column.count(marker) for marker in found})
        return ["" if cell in found else cell for cell in column]

    def _rows(self) -> Iterator[list[str]]:
        width = len(self.names)
        for row in self._records:
            if len(row) < width:
                self.first_short_line = self.first_short_line or self._line
                self.short_rows += 1
                row += [""] * (width - len(row))
            elif len(row) > width:
                self.first_long_line = self.first_long_line or self._line
                self.long_rows += 1
                del row[width:]
            yield row

    def _read_delimiter(self, given: str | None) -> tuple[str | None, str]:
        """Return the delimiter of a `sep=` line, which is skipped, and the one to use."""
        try:
            sample = self._file.read(_SAMPLE_CHARACTERS)
            is_complete = len(sample) < _SAMPLE_CHARACTERS
            sample = sample.lstrip("\ufeff").replace("\0", "")
            self.hidden_delimiter = hidden_delimiter(sample)
            self._file.seek(0)
            separator = separator_line(sample)
            if separator:
                self._file.readline()
        except UnicodeError as error:
            raise UnreadableError(f"it is not {self.encoding}: {error}") from None
        return separator, given or separator or detect_delimiter(sample, is_complete)

    def _lines(self) -> Iterator[str]:
        for line in self._file:
            if "\0" in line:  # PostgreSQL stores no U+0000, and the csv module of Python < 3.11 refuses it
                self.nul_characters += line.count("\0")
                line = line.replace("\0", "")
            yield line
        self._is_at_end = True

    def _read_records(self) -> Iterator[list[str]]:
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        before = self._line
        try:
            for row in self._reader:
                if self._is_at_end:  # the reader looked for the rest of a quoted cell
                    opened = self._line - row[-1].count("\n") + (1 if row[-1].endswith("\n") else 0)
                    raise UnreadableError(
                        f"the quote that opens on line {opened:,} is never closed; close or double it"
                    )
                self.longest_record = max(self.longest_record, (self._line - before, before + 1))
                if row:
                    yield row
                before = self._line
        except UnicodeError as error:
            raise UnreadableError(f"it is not {self.encoding}: {error}") from None
        except csv.Error:
            raise UnreadableError(
                f"the row on line {before + 1:,} has a cell of more than {MAX_CELL_CHARACTERS:,} characters; "
                "is a quote in it not closed?"
            ) from None


def unique_names(header: list[str]) -> list[str]:
    """Return the header's names; an empty one is called after its place, a repeated one gets a number."""
    limit = MAX_NAME_CHARACTERS if len(header) <= MANY_COLUMNS else MAX_NAME_CHARACTERS_OF_MANY
    wanted = [_short_name(name.strip(), limit) or f"column_{place}" for place, name in enumerate(header, start=1)]
    taken, seen, repeats = set(wanted), set[str](), Counter[str]()
    names = []
    for name in wanted:
        unique = name
        while unique in seen or (unique != name and unique in taken):
            repeats[name] += 1
            unique = f"{name}_{repeats[name] + 1}"
        seen.add(unique)
        names.append(unique)
    return names


def write_rows(file: TextIO, columns: Columns) -> None:
    """Write rows, given as columns, as CSV."""
    csv.writer(file, lineterminator="\n").writerows(zip(*columns))


def _short_name(name: str, limit: int) -> str:
    """Return a long name as its beginning and a digest: still distinct from others."""
    if len(name) <= limit:
        return name
    digest = blake2b(name.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{name[: limit - 13]}…{digest}"


def _past_the_mark(encoding: str) -> str:
    """Return, for UTF-8, the codec that swallows a byte order mark where there is one."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
