"""Check the output of profile_csv: cleaned.csv, chart.svg and progress."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from examples.csv_profile import chart
from examples.csv_profile.summary import Column
from examples.profile_csv import check, profile_csv
from localfn import Context

SVG = "{http://www.w3.org/2000/svg}"
Output = Callable[..., dict[str, str]]


def parse_svg(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


@pytest.fixture
def output(make_context: Callable[..., Context]) -> Output:
    """Return a function that profiles inline text and returns the output files by name."""

    def run(text: str, **event: Any) -> dict[str, str]:
        context = make_context()
        profile_csv(check({"csv": text, **event}, context), context)
        folder = context.workdir / ".output"
        return {e["name"]: (folder / e["name"]).read_bytes().decode() for e in context.saved}

    return run


def test_both_files_are_saved_even_for_an_empty_file(output: Output) -> None:
    files = output("")
    assert sorted(files) == ["chart.svg", "cleaned.csv"]
    assert files["cleaned.csv"] == ""


def test_the_cleaned_file_has_unique_names_empty_missing_cells_and_plain_line_ends(output: Output) -> None:
    cleaned = output('\ufeffa;a;c\r\n NA ; x;"1;2"\r\n3\r\n4;"p\r\nq";-;9\r\n')["cleaned.csv"]
    assert cleaned == 'a,a_2,c\n,x,1;2\n3,,\n4,"p\nq",\n'


def test_the_cleaned_file_of_one_column_keeps_rows_with_a_missing_cell(output: Output) -> None:
    cleaned = output("a\n1\nNA\n2\n")["cleaned.csv"]
    assert list(csv.reader(io.StringIO(cleaned))) == [["a"], ["1"], [""], ["2"]]


def test_the_cleaned_file_has_no_cells_without_a_name_even_if_every_row_is_long(output: Output) -> None:
    assert output("a,b\n1,2,3\n4,5,6\n", delimiter=",")["cleaned.csv"] == "a,b\n1,2\n4,5\n"


def test_cleaning_is_idempotent(make_context: Callable[..., Context], output: Output, data: Path) -> None:
    once = output((data / "penguins_raw.csv").read_text())["cleaned.csv"]
    assert output(once)["cleaned.csv"] == once


def test_the_chart_of_real_data_is_sound_xml_with_a_histogram_per_column(output: Output, data: Path) -> None:
    root = parse_svg(output((data / "penguins_raw.csv").read_text())["chart.svg"])
    assert root.findtext(f"{SVG}title") == "344 rows × 17 columns"  # noqa: RUF001 - the sign is meant
    assert len(root.findall(f".//{SVG}path[@class='bar']")) == 17


def test_names_are_escaped_in_the_chart(output: Output) -> None:
    name = "<script>alert(1)</script>&\x01"
    drawn = output(f'"{name}",b\n1,2\n')["chart.svg"]
    assert "<script" not in drawn
    titles = [title.text for title in parse_svg(drawn).iter(f"{SVG}title")]
    assert "<script>alert(1)</script>&\ufffd" in titles


@pytest.mark.parametrize("columns", [0, 1, 200])
def test_the_chart_is_as_high_as_its_columns_need(output: Output, columns: int) -> None:
    text = ",".join(f"c{n}" for n in range(columns)) + "\n" + ",".join(str(n) for n in range(columns)) + "\n"
    root = parse_svg(output(text)["chart.svg"])
    assert len(root.findall(f"{SVG}g")) == columns
    assert int(root.attrib["height"]) >= columns * chart.LINE


def test_the_share_of_missing_cells_is_drawn_to_scale() -> None:
    facts = {"kind": "integer", "missing": 3, "distinct": 1, "min": 5, "max": 5}
    root = parse_svg(chart.draw([Column("a", facts, [1.0])], rows=12))
    gap, track = (float(root.find(f".//{SVG}rect[@class='{c}']").attrib["width"]) for c in ("gap", "track"))  # type: ignore[union-attr]
    assert gap / track == pytest.approx(0.25)


def test_progress_grows_counts_rows_is_not_a_flood_and_ends_within_seconds(
    make_context: Callable[..., Context], nyc_weather: Path
) -> None:
    reports: list[tuple[float, str]] = []
    context = make_context(report=lambda fraction, message: reports.append((fraction, message)), csv=nyc_weather)
    started = time.process_time()  # the CPU time of this process, on a busy machine, too
    profile_csv({}, context)
    assert time.process_time() - started < 5, "26,000 rows of 15 columns take half a second on an idle machine"
    fractions = [fraction for fraction, _ in reports]
    assert fractions == sorted(fractions)
    assert reports[-1] == (1.0, "26,115 rows")
    assert 2 <= len(reports) <= 100
