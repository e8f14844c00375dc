"""Check that profile_csv warns of assumptions and likely mistakes in a file, or rejects the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localfn import ValidationError

Profile = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("name", ["penguins.csv", "airports.csv"])
def test_a_sound_file_gets_no_warning_but_for_its_markers(profile: Profile, data: Path, name: str) -> None:
    result = profile((data / name).read_bytes())
    assert all("'NA' was counted as missing" in text for text in result["warnings"])


@pytest.mark.parametrize(
    ("cells", "kind", "extremes"),
    [
        (["123456789012345678"], "integer", (123456789012345678,) * 2),
        (["9223372036854775807", "-9223372036854775808"], "integer", (-(2**63), 2**63 - 1)),
        (["1849263518273645211", "1849263518273645212"], "integer", (1849263518273645211, 1849263518273645212)),
        ([str(10**30), "1"], "integer", (1, 10**30)),
        (["1" * 38, "9" * 38], "integer", (int("1" * 38), int("9" * 38))),
        (["1" * 39], "text", ("1" * 39,) * 2),
        (["1e308", "-1e308"], "number", (-1e308, 1e308)),
        (["1e308", str(10**30), "-5"], "number", (-5.0, 1e308)),
        (["1.7976931348623157e308"] * 3, "number", (1.7976931348623157e308,) * 2),
        (["5e-324", "-5e-324"], "number", (-5e-324, 5e-324)),
        (["1e999", "1"], "text", ("1", "1e999")),
        (["9007199254740993", "9007199254740992"], "integer", (9007199254740992, 9007199254740993)),
    ],
)
def test_wide_numbers_are_profiled_exactly(profile: Profile, cells: list[str], kind: str, extremes: Any) -> None:
    result = profile("id\n" + "\n".join(cells) + "\n")
    column = result["columns"]["id"]
    assert (column["kind"], (column["min"], column["max"])) == (kind, extremes)
    assert column["distinct"] == len(set(cells))
    assert result["cleaned"] == "id\n" + "\n".join(cells) + "\n"


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_first_line_of_excel_names_the_delimiter(profile: Profile, first: str, newline: str) -> None:
    result = profile(newline.join([first, "name;qty", "apple, red;3", ""]))
    assert (result["rows"], list(result["columns"])) == (1, ["name", "qty"])
    assert result["columns"]["qty"]["max"] == 3
    assert result["warnings"] == ["the first line, sep=;, names a delimiter and was not taken for the columns' names"]


def test_a_given_delimiter_wins_over_the_first_line(profile: Profile) -> None:
    assert list(profile("sep=;\na,b;c\n1,2;3\n", delimiter=",")["columns"]) == ["a", "b;c"]
    assert list(profile("sep=\t\na\tb\n1\t2\n")["columns"]) == ["a", "b"]
    assert list(profile("sep=,x\n1,2\n")["columns"]) == ["sep=", "x"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a,b\n1,"open\n3,4\n5,6\n', 2),
        ('a,b\n1,2\n3,"open', 3),
        ('a,b\n1,2\n3,"open\n', 3),
        ('a,b\n"x\ny",2\n3,4\n5,"open\n6,7', 5),
        ('a,b\n"x\ny","open\n6,7\n', 3),
        ('"a,b\n1,2\n', 1),
        ('sep=,\na,b\n1,"open\n', 3),
        ('a,b\r\n1,2\r\n3,"\r\n', 3),
        ('a\n"', 2),
    ],
)
def test_a_quote_that_is_never_closed_is_rejected_with_its_line(profile: Profile, text: str, line: int) -> None:
    with pytest.raises(ValidationError, match=f"the quote that opens on line {line} is never closed"):
        profile(text, delimiter=",")


def test_quotes_within_a_cell_and_doubled_ones_are_sound(profile: Profile) -> None:
    result = profile('a,b\n5" disk,"say ""x"""\n"two\nlines","end"')
    assert (result["rows"], result["warnings"]) == (2, [])


def test_a_row_of_many_lines_gets_a_warning(profile: Profile) -> None:
    swallowed = "\n".join(f"{n},x" for n in range(30))
    result = profile(f'a,b\n1,"open\n{swallowed}\n9,y"\n3,4\n', delimiter=",")
    assert "the row on line 2 spans 32 lines" in "".join(result["warnings"])


def test_a_default_marker_that_was_counted_is_named_and_can_be_kept(profile: Profile) -> None:
    text = "country,n\nDE,1\nNA,2\nNA,-\n,4\n"
    result = profile(text)
    assert result["columns"]["country"]["missing"] == 3
    assert [w.split(";")[0] for w in result["warnings"]] == [
        "'-' was counted as missing in n (1)",
        "'NA' was counted as missing in country (2)",
    ]
    kept = profile(text, keep_default_na=False)
    assert (kept["columns"]["country"]["missing"], kept["columns"]["country"]["max"]) == (1, "NA")
    assert kept["warnings"] == []
    assert "NA,2" in kept["cleaned"]


def test_chosen_markers_are_counted_without_a_warning(profile: Profile) -> None:
    result = profile("a,b\n?,1\n-999,NA\n3,4\n", keep_default_na=False, na_values=["?", "-999"])
    assert (result["columns"]["a"]["missing"], result["columns"]["b"]["missing"]) == (2, 0)
    assert result["columns"]["a"]["kind"] == "integer"
    assert result["warnings"] == []


def test_words_for_infinity_are_texts_when_they_are_no_markers(profile: Profile) -> None:
    column = profile("a,b\n1,x\ninf,x\nNaN,x\n", keep_default_na=False)["columns"]["a"]
    assert (column["kind"], column["missing"], column["max"]) == ("text", 0, "inf")


def test_changed_names_get_a_warning(profile: Profile) -> None:
    result = profile(f"a,a,,{'long' * 100}\n1,2,3,4\n")
    assert list(result["columns"])[:3] == ["a", "a_2", "column_3"]
    assert len(list(result["columns"])[3]) == 200
    assert [text.split(":")[0] for text in result["warnings"]] == [
        "columns of the same name were given numbers",
        "columns without a name were named after their place",
        "long names were cut",
    ]


def test_ragged_rows_get_a_warning_with_their_first_lines(profile: Profile) -> None:
    result = profile('a,b\n1,2\n"x\ny",2\n3\n4,5,6\n7\n')
    assert "2 rows had fewer cells" in result["warnings"][0]
    assert "first on line 5" in result["warnings"][0]
    assert (
        "1 row had more cells than there are columns; the extra cells were removed (first on line 6)"
        in (result["warnings"][1])
    )


def test_dropped_characters_get_a_warning(profile: Profile) -> None:
    assert profile("a,b\nx\0\0y,2\n")["warnings"] == ["the file contains NUL characters (U+0000); 2 were removed"]


def test_an_empty_file_and_a_header_of_values_get_warnings(profile: Profile) -> None:
    assert profile(b"")["warnings"] == ["the file is empty"]
    assert "send has_header=false" in profile("1,2.5\n3,4\n")["warnings"][0]
    assert profile("1,2.5\n3,4\n", has_header=False)["warnings"] == []
    assert profile("a,2\n3,4\n")["warnings"] == []


@pytest.mark.parametrize(
    ("cells", "value"), [(["1,5", "-2,25"], (-2.25, 1.5)), (["3", "1,5"], (1.5, 3.0)), ([",5", "1,5e2"], (0.5, 150.0))]
)
def test_decimal_commas_get_a_warning_and_can_be_read(profile: Profile, cells: list[str], value: Any) -> None:
    text = "a;b\n" + "".join(f"{cell};x\n" for cell in cells)
    column = profile(text, decimal=",")["columns"]["a"]
    assert (column["kind"], (column["min"], column["max"])) == ("number", value)
    assert profile(text)["columns"]["a"]["kind"] == "text"
    assert profile(text, decimal=",")["warnings"] == []
    assert profile(text, decimal=",")["cleaned"] == profile(text)["cleaned"]


@pytest.mark.parametrize("cells", [["1,234", "5,678,901"], ["1.234,5", "2.345,6"], ["1'234.5", "1"], ["1 234", "5"]])
def test_thousands_separators_get_a_warning(profile: Profile, cells: list[str]) -> None:
    result = profile("a;b\n" + "".join(f"{cell};x\n" for cell in cells))
    assert result["columns"]["a"]["kind"] == "text"
    assert "texts that may be numbers" in result["warnings"][0]


def test_a_title_above_the_names_gets_a_warning(profile: Profile) -> None:
    result = profile("Sales of 2026\n\nname,qty\napple,3\npear,4\n")
    assert "',' splits the lines below it" in "".join(result["warnings"])
    assert profile("note\nhello, world\nbye\n")["warnings"] == []


def test_postcodes_are_not_taken_for_numbers(profile: Profile) -> None:
    result = profile("code,b\n01067,1\n02134,2\n")
    assert (result["columns"]["code"]["kind"], result["warnings"]) == ("text", [])
    assert result["cleaned"] == "code,b\n01067,1\n02134,2\n"


def test_a_single_column_of_texts_stays_whole(profile: Profile) -> None:
    result = profile("note\nhello, world\nbye\n")
    assert (list(result["columns"]), result["ragged_rows"]["long"]) == (["note"], 0)
    assert result["columns"]["note"]["max"] == "hello, world"
