"""Check profile_csv on other file formats, very wide tables, and real files in other encodings."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localfn import ValidationError

Profile = Callable[..., dict[str, Any]]


def workbook(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, "<xml/>")
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gzip.compress(b"a,b\n1,2\n"), "gzip; decompress it first"),
        (bz2.compress(b"a,b\n1,2\n" * 100), "bzip2"),
        (lzma.compress(b"a,b\n1,2\n"), "xz"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd"),
        (workbook("xl/workbook.xml"), r"Excel workbook \(xlsx\); save it as CSV first"),
        (workbook("content.xml"), "OpenDocument"),
        (workbook("data.csv"), "ZIP"),
        (b"PK\x03\x04 cut off", "ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), r"Excel workbook \(xls\)"),
        (b"PAR1\x15\x00\x15", "Parquet"),
        (b"ARROW1\0\0", "Arrow"),
        (b"ORC\0\x01", "ORC"),
        (b"Obj\x01\x04", "Avro"),
        (b"SQLite format 3\0", "SQLite"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\n<!doctype HTML><html>", "HTML"),
        (b'<?xml version="1.0"?><a/>', "XML"),
        (b'[\n {"a": 1}]', "JSON"),
        (b'{"a": 1}\n{"a": 2}\n', "JSON"),
    ],
)
def test_a_file_of_another_format_is_rejected_by_name(profile: Profile, content: bytes, name: str) -> None:
    with pytest.raises(ValidationError, match=f"the CSV cannot be read: the file is .*{name}"):
        profile(content)


@pytest.mark.parametrize("name", ["PAR1", "ORC", "BZh9", "ARROW1", "Object", "SEP", "<b>"])
def test_a_name_that_looks_like_a_format_is_a_name(profile: Profile, name: str) -> None:
    assert list(profile(f"{name},b\n1,2\n")["columns"]) == [name, "b"]


@pytest.mark.parametrize("columns", [1_001, 10_000])
def test_a_very_wide_table_gives_a_result_that_can_be_stored(profile: Profile, columns: int) -> None:
    header = ",".join(f"{place}-{'name' * 30}" for place in range(columns))
    rows = [",".join(["x" * 60 + str(row)] * columns) for row in range(3)]
    result = profile("\n".join([header, *rows]))
    assert len(result["columns"]) == columns
    assert len(json.dumps(result["columns"], separators=(",", ":"))) < 6 * 1024 * 1024
    assert len(result["warnings"]) < 10


def test_a_hundred_thousand_columns_are_rejected_with_the_limit(profile: Profile) -> None:
    with pytest.raises(ValidationError, match="line 1 has 100,000 columns, 10,000 can be profiled"):
        profile(",".join(f"c{place}" for place in range(100_000)) + "\n")


@pytest.mark.parametrize("name", ["penguins.csv", "penguins_raw.csv", "airports.csv"])
@pytest.mark.parametrize(
    ("delimiter", "newline", "encoding", "first"),
    [
        (";", "\r\n", "utf-8-sig", ""),
        ("\t", "\n", "utf-16", ""),
        ("|", "\r", "utf-16-le", ""),
        (";", "\r\n", "cp1252", "sep=;\r\n"),
        (",", "\n", "utf-32", ""),
    ],
)
def test_real_files_in_other_encodings_give_the_same_profile(
    profile: Profile, data: Path, name: str, delimiter: str, newline: str, encoding: str, first: str
) -> None:
    plain = (data / name).read_text(encoding="utf-8")
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(csv.reader(io.StringIO(plain)))
    dressed, expected = profile((first + text.getvalue()).encode(encoding)), profile(plain)
    assert (dressed["columns"], dressed["cleaned"]) == (expected["columns"], expected["cleaned"])
    assert dressed["rows"] == expected["rows"]
