"""Turns a CSV file into clean columns, a batch of rows at a time.

Decides encoding, delimiter and names, evens out ragged rows, trims cells and empties the missing ones.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Set
from itertools import islice
from pathlib import Path
from typing import TextIO

DELIMITERS = ",;\t|"
CELLS_PER_BATCH = 20_000
MAX_COLUMNS = 10_000
MAX_CELL_CHARACTERS = 1_048_576
_SAMPLE_CHARACTERS = 65_536
_CHUNK_BYTES = 1_048_576

Columns = list[list[str]]


class UnreadableError(Exception):
    """The file cannot be read as a table."""


def detect_encoding(path: Path) -> str:
    """What the byte order mark says, else UTF-8 if all of it is that, else Latin-1, which any file is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        chunk = file.read(_CHUNK_BYTES)
        if chunk.startswith(codecs.BOM_UTF8):
            return "utf-8"
        if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        try:
            while chunk:
                decoder.decode(chunk)
                chunk = file.read(_CHUNK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def detect_delimiter(sample: str, complete: bool = True) -> str:
    """The delimiter that splits the first line, and most of the others into as many cells; else a comma.

    `complete` is false when the sample was cut, which makes its last row no witness.
    """
    best, best_score = DELIMITERS[0], (0.0, 0)
    for delimiter in DELIMITERS:
        try:
            rows = csv.reader(sample.split("\n"), delimiter=delimiter, skipinitialspace=True)
            widths = [len(row) for row in rows if row]
        except csv.Error:
            continue
        if not complete and len(widths) > 1:
            widths.pop()
        if widths and widths[0] > 1:
            score = (widths.count(widths[0]) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best


def unique_names(header: list[str]) -> list[str]:
    """The header's names, trimmed; an empty one is called after its place, a repeated one gets a number."""
    wanted = [name.strip() or f"column_{place}" for place, name in enumerate(header, start=1)]
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


class Table:
    """A CSV file opened for one pass.

    `names` is known at once; `rows`, `short_rows` and `long_rows` count while `batches()` is read.
    """

    def __init__(
        self, path: Path, encoding: str | None, delimiter: str | None, has_header: bool, missing: Set[str]
    ) -> None:
        self.encoding = encoding or detect_encoding(path)
        self.size_bytes = path.stat().st_size
        self.rows = self.short_rows = self.long_rows = 0
        self._missing = missing
        self._bytes = path.open("rb")
        # newline=None on purpose: CRLF and CR become LF inside quoted cells, too.
        self._file = io.TextIOWrapper(self._bytes, encoding=_past_the_mark(self.encoding), newline=None)
        try:
            self.delimiter = delimiter or self._detect_delimiter()
            self._reader = self._open_reader()
            first = next((row for row in self._records() if row), [])
            if len(first) > MAX_COLUMNS:
                raise UnreadableError(f"more than {MAX_COLUMNS:,} columns; is the delimiter {self.delimiter!r}?")
        except BaseException:
            self._file.close()
            raise
        self._first_row = None if has_header else first
        self.names = unique_names(first if has_header else [""] * len(first))

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def batches(self) -> Iterator[Columns]:
        """The table's columns, some rows at a time: cells trimmed, missing ones empty, all equally long."""
        records = (row for row in self._records() if row)
        batch = [self._first_row] if self._first_row else []
        rows_per_batch = max(1, CELLS_PER_BATCH // max(1, len(self.names)))
        while True:
            batch += islice(records, rows_per_batch)
            if not batch:
                return
            self._straighten(batch)
            self.rows += len(batch)
            missing = self._missing
            yield [["" if (text := cell.strip()) in missing else text for cell in column] for column in zip(*batch)]
            batch = []

    def fraction_read(self) -> float:
        return min(1.0, self._bytes.tell() / self.size_bytes) if self.size_bytes else 1.0

    def _straighten(self, batch: list[list[str]]) -> None:
        width = len(self.names)
        for row in batch:
            if len(row) < width:
                self.short_rows += 1
                row += [""] * (width - len(row))
            elif len(row) > width:
                self.long_rows += 1
                del row[width:]

    def _detect_delimiter(self) -> str:
        try:
            sample = self._file.read(_SAMPLE_CHARACTERS)
            self._file.seek(0)
        except UnicodeError as error:
            raise UnreadableError(f"not {self.encoding}: {error}") from None
        return detect_delimiter(sample, complete=len(sample) < _SAMPLE_CHARACTERS)

    def _open_reader(self) -> Iterator[list[str]]:
        csv.field_size_limit(MAX_CELL_CHARACTERS)
        # PostgreSQL stores no U+0000, and the csv module of Python < 3.11 refuses it.
        lines = (line.replace("\0", "") for line in self._file)
        return csv.reader(lines, delimiter=self.delimiter, skipinitialspace=self.delimiter != " ")

    def _records(self) -> Iterator[list[str]]:
        try:
            yield from self._reader
        except UnicodeError as error:
            raise UnreadableError(f"not {self.encoding}: {error}") from None
        except csv.Error as error:
            raise UnreadableError(f"after row {self.rows:,}: {error}") from None


def _past_the_mark(encoding: str) -> str:
    """Of UTF-8 the codec that swallows a byte order mark where there is one."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def write_rows(file: TextIO, columns: Columns) -> None:
    csv.writer(file, lineterminator="\n").writerows(zip(*columns))
