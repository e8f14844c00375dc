"""Check that tables stay aligned and narrow with any cells, and that numbers are short."""

import os
import re
import subprocess
import sys
from datetime import datetime, timedelta

import click
import pytest

from infra.api_client import problem_message
from infra.cli.output import tables
from infra.cli.output.formatting import clip, format_seconds, format_size, one_line, relative_time, width
from infra.cli.output.tables import Column, format_fields, format_table

NOW = datetime.fromisoformat("2026-01-31T12:00:00Z")


def format_rows(*rows: tuple[str, str]) -> list[str]:
    return click.unstyle(format_table([Column("NAME"), Column("MORE")], rows)).split("\n")


def test_no_line_of_a_table_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "line_width", lambda: 100)
    lines = format_rows(("a", "x" * 500), ("b" * 30, "漢字" * 100))

    assert all(width(line) <= 100 for line in lines)
    assert lines[1].endswith("…")


def test_in_a_pipe_nothing_is_cut() -> None:
    lines = format_rows(("b" * 300, "漢字" * 100))

    assert "b" * 300 in lines[1]
    assert lines[1].endswith("漢字")
    assert tables.shorten("x" * 500, 10) == "x" * 500


def test_columns_begin_at_the_same_cell_with_wide_and_joining_characters() -> None:
    lines = format_rows(("漢字", "|"), ("e\u0301", "|"), ("plain", "|"))

    assert len({width(line.partition("|")[0]) for line in lines[1:]}) == 1


def test_a_cell_cannot_break_its_line_or_steer_the_terminal() -> None:
    lines = format_rows(("a\nb", "\x1b[2J\r\tc"))

    assert lines[1:] == ["a b   [2J c"]


def test_a_table_without_rows_shows_its_heading() -> None:
    assert format_rows() == ["NAME  MORE"]


def test_an_empty_field_is_left_out() -> None:
    assert click.unstyle(format_fields([("queue", "low"), ("error", ""), ("a", "b")])) == "queue  low\na      b"


@pytest.mark.parametrize(
    ("distance_s", "text"),
    [
        (0.2, "now"),
        (1, "1 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (7200, "2 h ago"),
        (200_000, "2 d ago"),
        (-0.5, "now"),
        (-90, "in 1 min"),
    ],
)
def test_times_are_shown_relative_to_now(distance_s: float, text: str) -> None:
    assert relative_time((NOW - timedelta(seconds=distance_s)).isoformat(), NOW) == text


@pytest.mark.parametrize(
    ("amount_s", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (1, "1 s"),
        (3.44, "3.4 s"),
        (59.97, "1 min"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (90000, "25 h"),
    ],
)
def test_durations_are_short(amount_s: float | None, text: str) -> None:
    assert format_seconds(amount_s) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0 B"), (999, "999 B"), (1663, "1.7 kB"), (104_302, "104 kB"), (5e12, "5000 GB")]
)
def test_sizes_are_short(amount: float, text: str) -> None:
    assert format_size(amount) == text


def test_clipped_text_fits_with_a_wide_character_at_the_cut() -> None:
    assert clip("漢字漢字", 4) == "漢…"
    assert clip("abcd", 4) == "abcd"


def test_a_cell_keeps_all_visible_characters_on_one_line() -> None:
    assert one_line("  a\r\n\tb\x00ä \x7f ") == "a b ä"


def test_a_problem_is_explained_in_one_line_with_the_errors_that_its_detail_does_not_name() -> None:
    errors = [{"field": "a", "detail": "is missing"}, {"field": "b", "detail": "is too long"}]

    assert problem_message({"detail": "Two fields.", "errors": errors}) == "Two fields. (a: is missing; b: is too long)"
    assert problem_message({"detail": "a: is missing", "errors": errors[:1]}) == "a: is missing"
    assert problem_message({"title": "Not Found"}) == "Not Found"


def test_the_terminal_receives_only_colour_sequences() -> None:
    clipboard, title, erase = "\x1b]52;c;cm0gLXJm\x07", "\x1b]0;root#\x07", "\x1b[2J\x9b2J\r\x0b"
    code = "import sys; from infra.cli.output.tables import *; print_data(sys.argv[1]); print_status(sys.argv[1])"
    text = f"\x1b[1;31mred\x1b[0m\t{clipboard}{title}{erase}\u202etxt"
    ours, theirs = os.openpty()
    try:
        subprocess.run([sys.executable, "-c", code, text], stdout=theirs, stderr=theirs, check=True)
        format_rows = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert format_rows.count("\x1b[1;31mred\x1b[0m") == 2
    assert set(
        re.findall(r"[\x00-\x1f\x7f-\x9f\u202e]", format_rows.replace("\x1b[1;31m", "").replace("\x1b[0m", ""))
    ) <= {
        "\t",
        "\r",
        "\n",
    }
    assert "\\x1b]52;c;" in format_rows


def test_where_the_line_is_short_the_widest_are_shortened_and_ids_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.output.tables.line_width", lambda: 60)
    columns = [Column("ID"), Column("NAME", min_width=8), Column("ZONE", min_width=4), Column("MORE", min_width=12)]
    id, rows = "01a21f86-55bc-71ce-a5bd-c64228870769", []
    rows.append((id, "a_name_that_is_long", "Europe/Berlin", "took 417 ms"))
    lines = click.unstyle(format_table(columns, rows)).split("\n")
    assert lines[1] == f"{id}  a_name_…  Eur…  took …"
    monkeypatch.setattr("infra.cli.output.tables.line_width", lambda: 80)
    assert (
        click.unstyle(format_table(columns, rows)).split("\n")[1] == f"{id}  a_name_that_is_…  Europe/Ber…  took 417 ms"
    )
