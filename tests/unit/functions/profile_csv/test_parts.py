"""Check the parts of profile_csv: statistics against Python's own, and columns too large to count exactly."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.csv_profile import kinds
from examples.csv_profile.reading import unique_names
from examples.csv_profile.summary import QUANTILES, mean_and_std, quantiles, summarise
from examples.csv_profile.tally import Tally, relieve

NUMBERS = st.floats(min_value=-1e12, max_value=1e12)


def add_weights(values: list[float]) -> list[tuple[float, int]]:
    return sorted(Counter(values).items())


@given(st.lists(NUMBERS, min_size=2, max_size=60))
def test_quantiles_are_those_of_the_statistics_module(values: list[float]) -> None:
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    found = quantiles(add_weights(values), QUANTILES)
    expected = [cuts[0], cuts[4], cuts[9], cuts[14], cuts[18]]
    assert [found[fraction] for fraction in QUANTILES] == pytest.approx(expected, rel=1e-9, abs=1e-3)


@given(st.lists(NUMBERS, min_size=2, max_size=60))
def test_mean_and_deviation_are_those_of_the_statistics_module(values: list[float]) -> None:
    mean, std = mean_and_std(add_weights(values))
    assert mean == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-3)
    assert std == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-3)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_any_finite_numbers_have_a_finite_mean_within_their_range(values: list[float]) -> None:
    mean, std = mean_and_std(add_weights(values))
    assert min(values) <= mean <= max(values)
    assert std is None or math.isfinite(std)
    assert all(math.isfinite(value) for value in quantiles(add_weights(values), QUANTILES).values())


def test_the_deviation_of_tiny_and_huge_numbers_is_not_lost() -> None:
    for unit in (1e-300, 1e300):
        mean, std = mean_and_std([(unit, 1), (3 * unit, 1)])
        assert mean == pytest.approx(2 * unit, abs=0)
        assert std == pytest.approx(math.sqrt(2) * unit, abs=0)
    assert mean_and_std([(-1.7e308, 1), (1.7e308, 1)]) == (0.0, None)


@given(st.integers(min_value=-(10**38) + 1, max_value=10**38 - 1))
def test_every_integer_of_up_to_38_digits_is_read_exactly(number: int) -> None:
    assert kinds.read(str(number)) == ("integer", number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_as_python_writes_it(number: float) -> None:
    assert kinds.read(repr(number)) == ("number", number)


@given(st.datetimes(), st.sampled_from(["", "Z", "+02:00", "-0530"]), st.sampled_from("T "))
def test_every_iso_time_is_a_datetime(moment: object, zone: str, separator: str) -> None:
    assert kinds.read(str(moment).replace(" ", separator) + zone)[0] == "datetime"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2013-02-28", "date"),
        ("2013-02-29", "text"),
        ("2013-01-01T24:61:00Z", "text"),
        ("2013-01-01 06:00", "datetime"),
        ("2013-01-01T06:00:00.123456789Z", "datetime"),
        ("03/04/2013", "text"),
        ("yes", "boolean"),
        ("FALSE", "boolean"),
        (".5", "number"),
        ("5.", "number"),
        ("1e5", "number"),
        ("1,5", "text"),
        ("e5", "text"),
        (".", "text"),
    ],
)
def test_a_cell_gets_the_expected_kind(text: str, kind: str) -> None:
    assert kinds.read(text)[0] == kind


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([], "empty"),
        (["integer", "number"], "number"),
        (["date", "datetime"], "datetime"),
        (["integer", "date"], "text"),
        (["boolean", "integer"], "text"),
    ],
)
def test_a_column_of_several_kinds_gets_the_kind_that_holds_all_values(cells: list[str], kind: str) -> None:
    assert kinds.common(cells) == kind


def test_moments_are_ordered_by_time_and_shown_as_written() -> None:
    tally = Tally()
    tally.add(["2013-01-01T00:30:00+02:00", "2012-12-31T23:00:00Z", "2012-12-31T22:45:00Z"])
    facts = summarise("when", tally).facts
    assert (facts["min"], facts["max"]) == ("2013-01-01T00:30:00+02:00", "2012-12-31T23:00:00Z")


@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "", " a ", "column_1", "column_2"]), max_size=12))
def test_names_are_made_unique_and_unique_names_are_kept(header: list[str]) -> None:
    names = unique_names(header)
    assert len(set(names)) == len(names) == len(header)
    trimmed = [name.strip() for name in header]
    for name, given_name in zip(names, trimmed, strict=True):
        assert name == given_name or trimmed.count(given_name) > 1 or not given_name or given_name in names


def test_ten_thousand_equal_names_are_made_unique_in_linear_time() -> None:
    assert unique_names(["x"] * 10_000)[-1] == "x_10000"


@pytest.fixture(scope="module")
def overfull() -> tuple[list[float], Tally]:
    """Return 100,000 numbers, nearly all different, and their tally with room for 5,000 texts."""
    chance = random.Random(2013)
    values = [7.5 if chance.random() < 0.2 else round(chance.gauss(100, 15), 6) for _ in range(100_000)]
    tally = Tally()
    for start in range(0, len(values), 2_000):
        tally.add([str(value) for value in values[start : start + 2_000]])
        relieve([tally], 5_000)
        assert len(tally.counts) <= 5_000
    return values, tally


def test_a_column_too_large_to_count_says_that_it_is_approximate(overfull: tuple[list[float], Tally]) -> None:
    assert summarise("x", overfull[1]).facts["approximate"] is True


def test_a_column_too_large_to_count_keeps_its_exact_extremes_and_mean(
    overfull: tuple[list[float], Tally],
) -> None:
    values, tally = overfull
    facts = summarise("x", tally).facts
    assert (facts["min"], facts["max"]) == (min(values), max(values))
    assert facts["mean"] == pytest.approx(statistics.fmean(values), rel=1e-9)
    assert facts["std"] == pytest.approx(statistics.stdev(values), rel=1e-3)


def test_a_column_too_large_to_count_has_quantiles_distinct_and_top_that_are_close(
    overfull: tuple[list[float], Tally],
) -> None:
    values, tally = overfull
    facts = summarise("x", tally).facts
    assert facts["distinct"] == pytest.approx(len(set(values)), rel=0.08)  # five standard errors
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    expected = [cuts[0], cuts[4], cuts[9], cuts[14], cuts[18]]
    assert list(facts["quantiles"].values()) == pytest.approx(expected, rel=5e-3)
    assert facts["top"][0] == {"value": 7.5, "count": values.count(7.5)}


def test_only_the_largest_column_spills() -> None:
    small, large = Tally(), Tally()
    small.add(["a", "b"])
    large.add([f"t{number}" for number in range(200)])
    relieve([small, large], 100)
    assert small.spilled is None
    assert large.distinct() == 200


def test_the_columns_of_a_wide_table_share_the_memory_for_their_summaries() -> None:
    tally = Tally(columns=10_000)
    for start in range(0, 30_000, 1_000):
        tally.add([str(number) for number in range(start, start + 1_000)])
        relieve([tally], 100)
    assert tally.spilled is not None
    assert len(tally.spilled.centroids) <= 200
    facts = summarise("x", tally).facts
    assert (facts["min"], facts["max"]) == (0, 29_999)
    assert facts["mean"] == pytest.approx(14_999.5)
    assert facts["distinct"] == pytest.approx(30_000, rel=0.5)  # five standard errors of 100 hashes
    assert facts["quantiles"]["p50"] == pytest.approx(15_000, rel=0.05)
