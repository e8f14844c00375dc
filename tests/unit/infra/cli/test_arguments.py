"""Check that command-line arguments are parsed, and that errors name the place."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from infra.cli.arguments import Age, Event, Moment, NamedFile, Seconds, json_fault


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a": 1,\n "b": }', "line 2, column 7"),
        (b"{'a': 1}", "line 1, column 2"),
        (b'{"a": NaN}', "NaN is not allowed"),
        (b"[Infinity]", "Infinity is not allowed"),
        (b"1 2", "Extra data at line 1, column 3"),
        (b'"\xff"', "byte 1 is 0xff"),
        (b" \n", "is empty"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "is not JSON"),
    ],
)
def test_invalid_json_is_rejected_with_line_and_column(raw: bytes, reason: str) -> None:
    assert reason in json_fault(raw)


@pytest.mark.parametrize("raw", [b"{}", b"null", b"0", '"ä"'.encode(), b'\xef\xbb\xbf{"a": 1}'])
def test_json_events_are_accepted(raw: bytes) -> None:
    assert json_fault(raw) == ""


def test_an_event_is_sent_as_it_was_typed() -> None:
    typed = '{"b": 1.10, "a": 12345678901234567890}'

    assert Event().convert(typed, None, None) == typed.encode()


def test_an_event_from_a_file_loses_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')

    assert Event().convert(f"@{path}", None, None) == b'{"a": 1}'


def test_an_argument_that_is_not_utf_8_is_rejected() -> None:
    with pytest.raises(click.BadParameter, match="not UTF-8"):
        Event().convert('"\udcff"', None, None)


@pytest.mark.parametrize("typed", ["csv", "=x", "csv=", "event=x", "csv=/nowhere/to/be/found"])
def test_a_file_needs_a_name_and_a_path_that_can_be_read(typed: str) -> None:
    with pytest.raises(click.BadParameter):
        NamedFile().convert(typed, None, None)


def test_a_path_may_hold_the_sign_that_ends_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a=b.csv"
    path.touch()

    assert NamedFile().convert(f"csv={path}", None, None) == ("csv", path)


@pytest.mark.parametrize(
    ("typed", "age"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1.5h", timedelta(hours=1.5)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("0s", timedelta()),
    ],
)
def test_an_age_is_a_number_and_a_unit(typed: str, age: timedelta) -> None:
    assert Age().convert(typed, None, None) == age


@pytest.mark.parametrize("typed", ["7", "d", "-7d", "7 years", "\u0667d", ""])
def test_an_invalid_age_is_rejected(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is not an age"):
        Age().convert(typed, None, None)


def test_a_moment_is_a_time_or_an_age() -> None:
    two_hours_ago = datetime.fromisoformat(Moment().convert("2h", None, None))

    assert timedelta(minutes=119) < datetime.now(UTC) - two_hours_ago < timedelta(minutes=121)
    assert Moment().convert("2026-01-31T12:00:00+02:00", None, None) == "2026-01-31T10:00:00+00:00"
    assert datetime.fromisoformat(Moment().convert("2026-01-31", None, None)).tzinfo is not None


@pytest.mark.parametrize("typed", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00"])
def test_an_invalid_moment_is_rejected(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time"):
        Moment().convert(typed, None, None)


def test_an_age_before_year_one_is_the_earliest_time() -> None:
    assert Moment().convert("999999999w", None, None).startswith("19")


@pytest.mark.parametrize("typed", ["-1", "nan", "inf", "1s", ""])
def test_an_invalid_number_of_seconds_is_rejected(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a number of seconds"):
        Seconds().convert(typed, None, None)
