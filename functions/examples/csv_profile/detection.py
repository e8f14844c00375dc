"""Detect the format of a file (a table or something else), its encoding and its delimiter."""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
from pathlib import Path

DELIMITERS = ",;\t|"
_CHUNK_BYTES = 1_048_576
_SAMPLE_BYTES = 4_096
_MARKS = (  # UTF-32's mark begins like UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_LINE = re.compile(r'\s*"?sep=([^"\r\n])"?(?:\n|\Z)', re.IGNORECASE)
_UNPACK = "decompress it first"
_EXPORT = "save it as CSV first"
# Some formats begin with letters that a column's name may have, too; behind these letters such a file is no text.
_NO_TEXT = rb"(?s:(?=.*[\x00-\x08]))"
_FORMATS = (
    (rb"\x1f\x8b", "compressed with gzip", _UNPACK),
    (_NO_TEXT + rb"BZh[1-9]", "compressed with bzip2", _UNPACK),
    (rb"\xfd7zXZ\0", "compressed with xz", _UNPACK),
    (rb"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
    (rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07", "an archive", _UNPACK),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (xls)", _EXPORT),
    (_NO_TEXT + rb"PAR1", "Parquet", _EXPORT),
    (_NO_TEXT + rb"(?:ARROW1|FEA1)", "Arrow or Feather", _EXPORT),
    (_NO_TEXT + rb"ORC", "ORC", _EXPORT),
    (rb"Obj\x01", "Avro", _EXPORT),
    (rb"SQLite format 3\0", "an SQLite database", _EXPORT),
    (rb"%PDF-", "PDF", _EXPORT),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "an image", "send a CSV file"),
    (rb"(?i)\s*<(?:!DOCTYPE html|html|\?xml)", "HTML or XML", _EXPORT),
    (rb'\s*(?:\[\s*)?\{\s*"', "JSON", _EXPORT),
)


def other_format(path: Path) -> str | None:
    """Return the name of a format that is not CSV, and what to do; None for a text."""
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
    if head.startswith(b"PK\x03\x04"):
        return f"the file is {_name_of_zip(path)}"
    for signature, name, advice in _FORMATS:
        if re.match(signature, head):
            return f"the file is {name}; {advice}"
    return None


def _name_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        names = []
    if any(name.startswith("xl/") for name in names):
        return f"an Excel workbook (xlsx); {_EXPORT}"
    if "content.xml" in names:
        return f"an OpenDocument spreadsheet (ods); {_EXPORT}"
    return f"a ZIP archive; {_UNPACK}"


def detect_encoding(path: Path) -> tuple[str, bool]:
    """Return an encoding, and whether it is certain: by a byte order mark, or because all of the file is UTF-8.

    Else UTF-16 if every other byte is zero and all of the file can be read so, else Windows-1252 (Western European),
    else Latin-1, in which every byte is a character.
    """
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, True
    for zero_at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if _has_zeros_of_utf_16(head, zero_at) and _is_readable(path, encoding):
            return encoding, False
    if _is_readable(path, "utf-8"):
        return "utf-8", True
    return "cp1252" if _is_readable(path, "cp1252") else "latin-1", False


def _has_zeros_of_utf_16(head: bytes, zero_at: int) -> bool:
    """Tell whether the bytes have zeros as UTF-16 has them. zero_at: place of the zero in the two bytes of a letter.

    Other files contain NUL characters, too: some are then at other positions, or the end of the first line has none.
    """
    half = len(head) // 2
    end = min((at for mark in b"\r\n" if (at := head.find(mark)) >= 0), default=-1)
    if end >= 0 and (end % 2 == zero_at or head[end ^ 1 : (end ^ 1) + 1] != b"\0"):
        return False
    return head[zero_at::2].count(0) > 0.4 * half > 0 and head[1 - zero_at :: 2].count(0) < 0.1 * half


def _is_readable(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def separator_line(sample: str) -> str | None:
    """Return the delimiter that a first line such as `sep=;` names, as Excel writes and reads it."""
    found = _SEPARATOR_LINE.match(sample)
    return found[1] if found else None


def detect_delimiter(sample: str, complete: bool = True) -> str:
    """Return the delimiter that splits the first line, and most of the others into as many cells.

    A table of one column gets the first delimiter that stands nowhere in it, so that its texts stay whole.
    complete: False when the sample was cut, which makes its last row no witness.
    """
    best, best_score = "", (0.0, 0)
    for delimiter in DELIMITERS:
        widths = _widths(sample, delimiter)
        if not complete and len(widths) > 1:
            widths.pop()
        if widths and widths[0] > 1:
            score = (widths.count(widths[0]) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best or next((delimiter for delimiter in DELIMITERS if delimiter not in sample), DELIMITERS[0])


def hidden_delimiter(sample: str) -> str | None:
    """Return the delimiter that splits nearly all lines but the first, which may be a title and not the names."""
    below = sample.partition("\n")[2]
    for delimiter in DELIMITERS:
        widths = _widths(below, delimiter)
        if len(widths) > 1 and widths[0] > 1 and widths.count(widths[0]) > 0.8 * len(widths):
            return delimiter
    return None


def _widths(sample: str, delimiter: str) -> list[int]:
    """Return the number of cells in each row; none where the sample cannot be read so."""
    try:
        rows = csv.reader(sample.split("\n"), delimiter=delimiter, skipinitialspace=True)
        return [len(row) for row in rows if row]
    except csv.Error:
        return []
