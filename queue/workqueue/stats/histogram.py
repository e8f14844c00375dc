"""Histograms of durations with logarithmic buckets, so that the histograms of several minutes can be merged. Pure."""

import math
from collections.abc import Iterable, Mapping

BUCKETS_PER_DOUBLING = 6  # limits the error of a percentile to 6 %

Histogram = dict[int, int]  # bucket → count


def bucket_of(duration_s: float) -> int:
    return math.floor(BUCKETS_PER_DOUBLING * math.log2(max(duration_s * 1e6, 1.0)))


def bucket_middle_ms(number: int) -> float:
    """Return the duration that represents a bucket: its geometric mean."""
    return float(f"{2 ** ((number + 0.5) / BUCKETS_PER_DOUBLING) / 1000:.3g}")


def merge_histograms(histograms: Iterable[Mapping[int, int]]) -> Histogram:
    total: Histogram = {}
    for histogram in histograms:
        for number, count in histogram.items():
            total[number] = total.get(number, 0) + count
    return total


def percentile_ms(histogram: Mapping[int, int], fraction: float) -> float | None:
    """Return the duration that this fraction of all durations does not exceed; None for an empty histogram."""
    rank = math.ceil(fraction * sum(histogram.values()))
    for number in sorted(histogram):
        rank -= histogram[number]
        if rank <= 0:
            return bucket_middle_ms(number)
    return None


def percentiles_ms(histogram: Mapping[int, int]) -> dict[str, float | None]:
    return {f"p{percent}": percentile_ms(histogram, percent / 100) for percent in (50, 95, 99)}
