"""Histograms of durations: from 1 µs to an hour in steps of a twelfth, so that minutes can be added up. Pure."""

import math
from collections.abc import Iterable, Mapping

BUCKETS_PER_DOUBLING = 6  # for each doubling: a percentile is off by 6 % at the most

Histogram = dict[int, int]  # bucket → count


def bucket_of(duration_s: float) -> int:
    return math.floor(BUCKETS_PER_DOUBLING * math.log2(max(duration_s * 1e6, 1.0)))


def bucket_middle_ms(number: int) -> float:
    """The duration that stands for all in a bucket: its geometric middle."""
    return float(f"{2 ** ((number + 0.5) / BUCKETS_PER_DOUBLING) / 1000:.3g}")


def merge_histograms(histograms: Iterable[Mapping[int, int]]) -> Histogram:
    total: Histogram = {}
    for histogram in histograms:
        for number, count in histogram.items():
            total[number] = total.get(number, 0) + count
    return total


def percentile_ms(histogram: Mapping[int, int], fraction: float) -> float | None:
    """The duration that so large a part does not exceed; None of nothing."""
    rank = math.ceil(fraction * sum(histogram.values()))
    for number in sorted(histogram):
        rank -= histogram[number]
        if rank <= 0:
            return bucket_middle_ms(number)
    return None


def percentiles_ms(histogram: Mapping[int, int]) -> dict[str, float | None]:
    return {f"p{percent}": percentile_ms(histogram, percent / 100) for percent in (50, 95, 99)}
