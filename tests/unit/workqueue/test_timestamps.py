"""Check that each accepted time can be shown by PostgreSQL, Python and each zone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.timestamps import EXAMPLE, FIRST_YEAR, LAST_YEAR, read_time

FIRST, LAST = datetime(FIRST_YEAR, 1, 2, tzinfo=UTC), datetime(LAST_YEAR, 12, 31, tzinfo=UTC)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=ZONES))
def test_a_time_is_read_into_its_bounds_or_rejected(time: datetime) -> None:
    try:
        found = read_time(time.isoformat())
    except ValueError:
        assert not FIRST < time.replace(tzinfo=UTC) < LAST
        return
    assert found == time
    assert found.tzinfo is UTC
    assert FIRST_YEAR <= found.year <= LAST_YEAR
    for hours in (-15, 15):  # shown again in any zone
        assert found.astimezone(timezone(timedelta(hours=hours))) == found


@pytest.mark.parametrize(
    "text", ["", "now", "2026-01-31", "2026-01-31T12:00:00", "20260131", "infinity", 1, True, None, [], {}, 1e300]
)
def test_a_time_without_a_zone_is_rejected(text: object) -> None:
    with pytest.raises(ValueError, match="2030-01-31T12:00:00Z"):
        read_time(text)


@pytest.mark.parametrize("text", ["2030-01-31t12:00:00z", "2030-01-31 13:00:00.0+01:00", "2030-01-31T12:00Z"])
def test_every_spelling_of_rfc_3339_is_read(text: str) -> None:
    assert read_time(text) == datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2030-01-31T12:00:00Z\0",
        "2030-01-31T12:00:00Z\0at noon",
        "2030-01-31\x0012:00:00Z",
        "2030-01-31?12:00:00Z",
        "2030-W05-4T12:00:00Z",
        "20300131T120000Z",
        "\uff12030-01-31T12:00:00Z",
        "2030-01-31T12:00:00+00:00:30",
    ],
)
def test_times_that_only_python_accepts_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=EXAMPLE):
        read_time(text)
