"""Check `Prefer: wait=N` as RFC 7240 defines it."""

import pytest

from handlers.http.query import preferred_wait_s


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=5", 5),
        ("Wait=5", 5),
        ("WAIT = 5", 5),
        ('wait="5"', 5),
        ("wait=5; strict", 5),
        ('wait=5;a="x, y";b=2', 5),
        ("respond-async, wait=5", 5),
        ("respond-async;a=b,wait=5", 5),
        ('handling="a, wait=1", wait=5', 5),
        ("wait=5, wait=9", 5),
        (" , ,wait=5,", 5),
        ("not a preference, wait=5", 5),
        ("wait=0", 1),
        ("wait=61", 60),
        ("", None),
        ("wait", None),
        ("wait=", None),
        ("wait=soon", None),
        ("wait=-5", None),
        ("wait=5.5", None),
        ("wait=5 6", None),
        ("wait=٣", None),
        ("await=5", None),
        ("respond-async; wait=5", None),
        ('handling="wait=5"', None),
        ("wait=soon, wait=5", None),
        ("wait=9999999999", None),
    ],
)
def test_a_preference_to_wait_is_found_where_there_is_one(header: str, seconds: int | None) -> None:
    assert preferred_wait_s(header) == seconds


@pytest.mark.parametrize("header", ["a;  " * 4000 + "(", '"' * 8000, "a=" * 8000, 'a="' + "\\" * 8001, ";" * 8000])
def test_a_long_malformed_header_is_rejected_in_linear_time(header: str) -> None:
    assert preferred_wait_s(header) is None
