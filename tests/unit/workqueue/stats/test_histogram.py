"""Check histograms of durations against percentiles of all values."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.stats.histogram import bucket_of, merge_histograms, percentile_ms, percentiles_ms

DURATIONS = st.lists(st.floats(1e-5, 3600), min_size=1, max_size=200)


def count_buckets(durations: list[float]) -> dict[int, int]:
    return merge_histograms({bucket_of(duration): 1} for duration in durations)


@given(DURATIONS, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_that_of_all_values_within_seven_percent(durations: list[float], fraction: float) -> None:
    rank = -int(-fraction * len(durations) // 1)
    exact_ms = sorted(durations)[rank - 1] * 1000

    assert percentile_ms(count_buckets(durations), fraction) == pytest.approx(exact_ms, rel=0.07)


def test_minutes_add_up_to_the_same_as_all_at_once() -> None:
    durations = [random.Random(1).lognormvariate(0, 2) for _ in range(1000)]
    parts = [durations[start::7] for start in range(7)]

    assert merge_histograms(count_buckets(part) for part in parts) == count_buckets(durations)


def test_an_empty_histogram_has_no_percentiles_and_zero_is_the_lowest_bucket() -> None:
    assert percentiles_ms({}) == {"p50": None, "p95": None, "p99": None}
    assert bucket_of(0.0) == bucket_of(-1.0) == 0
