"""Check profile_csv on irregular files, with one test for each known trouble of CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.profile_csv import check, profile_csv
from localfn import Context, ValidationError
from localfn.outcome.result import to_json

Profile = Callable[..., dict[str, Any]]


@pytest.fixture
def profile(make_context: Callable[..., Context], tmp_path: Path) -> Profile:
    """Return a function that profiles bytes as an upload, or text as an inline event."""

    def run(content: bytes | str, **event: Any) -> dict[str, Any]:
        if isinstance(content, bytes):
            upload = tmp_path / "upload"
            upload.write_bytes(content)
            context = make_context(csv=upload)
        else:
            context = make_context()
            event["csv"] = content
        result: dict[str, Any] = json.loads(to_json(profile_csv(check(event, context), context)))
        return result

    return run


def test_an_inline_csv_is_profiled_like_an_upload(profile: Profile) -> None:
    assert profile("a,b\n1,2")["columns"] == profile(b"a,b\n1,2")["columns"]
    assert profile("a,b\n1,2")["columns"]["a"]["mean"] == 1.0


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", ""])
def test_an_empty_file_has_no_rows_and_no_columns(profile: Profile, content: bytes | str) -> None:
    result = profile(content)
    assert (result["rows"], result["columns"]) == (0, {})


def test_a_file_of_only_a_header_has_empty_columns(profile: Profile) -> None:
    result = profile(b"a,b\n")
    assert result["rows"] == 0
    assert {name: column["kind"] for name, column in result["columns"].items()} == {
        "a": "empty",
        "b": "empty",
    }
    assert result["columns"]["a"]["min"] is None
    assert result["columns"]["a"]["top"] == []


@pytest.mark.parametrize("marker", ["", " ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", " NA "])
def test_a_marker_of_a_missing_value_counts_as_missing(profile: Profile, marker: str) -> None:
    column = profile(f"a,b\n1,x\n{marker},y\n3,z\n")["columns"]["a"]
    assert (column["kind"], column["missing"], column["distinct"], column["mean"]) == ("integer", 1, 2, 2.0)


@pytest.mark.parametrize("word", ["inf", "-inf", "Infinity", "+INF", "NaN"])
def test_non_finite_numbers_never_reach_the_result(profile: Profile, word: str) -> None:
    result = profile(f"a\n1.5\n{word}\n2.5\n")
    assert result["columns"]["a"]["missing"] == 1
    assert result["columns"]["a"]["max"] == 2.5
    assert word not in json.dumps(result["columns"])


def test_a_number_too_large_for_a_float_is_a_text(profile: Profile) -> None:
    assert profile("a\n1e999\n2\n")["columns"]["a"]["kind"] == "text"


def test_further_markers_of_missing_values_can_be_given(profile: Profile) -> None:
    assert profile("a,b\n1,1\n?,2\n-999,3\n", na_values=["?", "-999"])["columns"]["a"]["missing"] == 2


def test_quoted_commas_and_newlines_stay_inside_their_cell(profile: Profile) -> None:
    result = profile('a,b\n"x, y","one\ntwo"\nz,three\n')
    assert result["rows"] == 2
    assert [entry["value"] for entry in result["columns"]["b"]["top"]] == ["one\ntwo", "three"]


@pytest.mark.parametrize("newline", [b"\r\n", b"\r"])
def test_any_end_of_line_is_understood(profile: Profile, newline: bytes) -> None:
    result = profile(newline.join([b"a,b", b"1,2", b'3,"x', b'y"', b""]))
    assert result["rows"] == 2
    assert result["columns"]["b"]["top"][1]["value"] == "x\ny"


def test_short_rows_miss_their_last_cells_and_are_counted(profile: Profile) -> None:
    result = profile("a,b,c\n1,2,3\n4\n5,6,7\n")
    assert result["columns"]["c"]["missing"] == 1
    assert result["ragged_rows"] == {"short": 1, "long": 0}


def test_long_rows_lose_their_extra_cells_and_are_counted(profile: Profile) -> None:
    result = profile("a,b\n1,2\n3,4,5,6\n7,8\n")
    assert result["rows"] == 3
    assert result["ragged_rows"] == {"short": 0, "long": 1}
    assert result["columns"]["b"]["max"] == 8


def test_blank_lines_are_no_rows(profile: Profile) -> None:
    assert profile("\na\n\n1\n\n2\n\n")["rows"] == 2


def test_two_hundred_columns_keep_their_order(profile: Profile) -> None:
    names = [f"c{place}" for place in range(200)][::-1]
    text = "\n".join([",".join(names), *(",".join(str(n * place) for place in range(200)) for n in range(50))])
    result = profile(text)
    assert list(result["columns"]) == names
    assert result["columns"]["c0"]["max"] == 49 * 199


def test_more_columns_than_a_table_can_have_are_rejected(profile: Profile) -> None:
    with pytest.raises(ValidationError, match="line 1 has 10,001 columns, 10,000 can be profiled"):
        profile("," * 10_000)


def test_repeated_and_empty_names_are_made_unique(profile: Profile) -> None:
    assert list(profile("a,a,a_2,,a,\n1,2,3,4,5,6\n")["columns"]) == [
        "a",
        "a_3",
        "a_2",
        "column_4",
        "a_4",
        "column_6",
    ]


def test_without_a_header_columns_are_numbered_and_the_first_line_counts(profile: Profile) -> None:
    result = profile("1,x\n2,y\n", has_header=False)
    assert result["rows"] == 2
    assert list(result["columns"]) == ["column_1", "column_2"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(profile: Profile, delimiter: str) -> None:
    rows = [["name", "size", "note"], ["a", "1", '"x, y; z|w"'], ["b", "2", "plain"]]
    result = profile("\n".join(delimiter.join(row) for row in rows))
    assert list(result["columns"]) == ["name", "size", "note"]
    assert result["delimiter"] == delimiter


def test_decimal_commas_do_not_make_a_comma_the_delimiter(profile: Profile) -> None:
    assert profile("x;y;z\n1,5;2,5;3,5\n4,5;5,5;6,5\n")["delimiter"] == ";"


def test_a_given_delimiter_wins(profile: Profile) -> None:
    assert list(profile("a,b;c\n1,2;3\n", delimiter=";")["columns"]) == ["a,b", "c"]


def test_nul_characters_are_dropped(profile: Profile) -> None:
    result = profile("a\0,b\nx\0y,2\n")
    assert result["columns"]["a"]["min"] == "xy"


def test_a_quote_that_never_ends_is_rejected_with_a_message(profile: Profile) -> None:
    with pytest.raises(ValidationError, match="the row on line 2 has a cell of more than 1,048,576 characters"):
        profile('a,b\n1,"' + "x\n" * 600_000)


@pytest.mark.parametrize("identifier", ["007", "02134", "1" * 39, "1_000", "0x1F", "١٢"])
def test_text_that_resembles_a_number_stays_text(profile: Profile, identifier: str) -> None:
    column = profile(f"a,b\n{identifier},1\n")["columns"]["a"]
    assert (column["kind"], column["min"]) == ("text", identifier)


def test_one_number_written_in_several_ways_is_one_value(profile: Profile) -> None:
    column = profile("a\n1\n1.0\n1e0\n+1\n-0\n0\n")["columns"]["a"]
    assert (column["kind"], column["distinct"]) == ("number", 2)
    assert column["top"] == [{"value": 1.0, "count": 4}, {"value": 0.0, "count": 2}]


def test_long_values_are_distinguished_and_shortened(profile: Profile) -> None:
    column = profile(f"a\n{'x' * 5000}1\n{'x' * 5000}2\n")["columns"]["a"]
    assert column["distinct"] == 2
    assert len(column["min"]) == 100


def test_exactly_one_csv_is_needed(make_context: Callable[..., Context], tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"a\n1\n")
    with pytest.raises(ValidationError, match="uploads sent: none"):
        check({}, make_context())
    with pytest.raises(ValidationError, match="uploads sent: data"):
        check({}, make_context(data=upload))
    with pytest.raises(ValidationError, match="one CSV"):
        check({"csv": "a\n1\n"}, make_context(csv=upload))


@settings(max_examples=150)
@given(st.binary(max_size=300) | st.text(alphabet='a1.,;"\n\r\t-e|N ', max_size=80).map(str.encode))
def test_any_bytes_give_a_strict_json_profile_or_a_rejection(profile: Profile, content: bytes) -> None:
    try:
        result = profile(content)
    except ValidationError:
        return
    for column in result["columns"].values():
        shown = sum(entry["count"] for entry in column["top"])
        assert shown + column["missing"] <= result["rows"]
        assert column["mean"] is None or math.isfinite(column["mean"])
