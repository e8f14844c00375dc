"""Turn a column's counts into its entry in the result."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from examples.csv_profile import kinds
from examples.csv_profile.tally import Tally

QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
TOP = 5
MAX_SHOWN = 100
# A result has a limit: a table of thousands of columns says less of each.
TOP_OF_WIDE, MAX_SHOWN_OF_WIDE = 1, 24
BARS = 24
MAX_WHOLE_BARS = 32

Weighted = list[tuple[float, int]]  # (value, how often), ascending


@dataclass(frozen=True)
class Column:
    """Hold one column's profile.

    facts: its entry in the result. bars: heights for a chart, from 0 to 1. has_foreign_numbers: its texts may be
    numbers with a decimal comma or with separators between thousands.
    """

    name: str
    facts: dict[str, Any]
    bars: list[float]
    has_foreign_numbers: bool = False


def summarise(name: str, tally: Tally, is_wide: bool = False) -> Column:
    """Return the profile of a column. is_wide: its table has thousands of columns, so it is kept short."""
    top, max_shown = (TOP_OF_WIDE, MAX_SHOWN_OF_WIDE) if is_wide else (TOP, MAX_SHOWN)
    seen = {text: tally.read(text) for text in tally.counts}
    spilled = tally.spilled
    kind = kinds.common({found for found, _ in seen.values()} | (spilled.kinds if spilled else set()))
    values: Counter[Any] = Counter()
    for text, count in tally.counts.items():
        # A moment is reported as it was written; numbers are one value however written: 1, 1.0 and 1e0.
        values[text if kind in ("text", *kinds.MOMENTS) else seen[text][1]] += count
    centroids = spilled.centroids if spilled else []
    ordered: Weighted = []
    if kind in kinds.ORDERED:
        ordered = sorted([(float(seen[text][1]), count) for text, count in tally.counts.items()] + centroids)
    low, high = _extremes(kind, seen, values)
    facts: dict[str, Any] = {
        "kind": kind,
        "missing": tally.missing,
        "distinct": tally.distinct() if spilled else len(values),
        "min": _shown(low, kind, max_shown),
        "max": _shown(high, kind, max_shown),
        **_moments(kind, ordered, values),
        "top": [{"value": _shown(value, kind, max_shown), "count": count} for value, count in values.most_common(top)],
    }
    if spilled:
        facts["approximate"] = True
    return Column(name, facts, _bars(kind, ordered, values), kind == "text" and _may_be_numbers(tally.counts))


def _may_be_numbers(texts: Iterable[str]) -> bool:
    return all(map(kinds.is_foreign_number, texts)) and not all(text.isdigit() for text in texts)


def _extremes(kind: str, seen: dict[str, tuple[str, Any]], values: Counter[Any]) -> tuple[Any, Any]:
    if not values:
        return None, None
    if kind in kinds.MOMENTS:
        return min(seen, key=lambda text: seen[text][1]), max(seen, key=lambda text: seen[text][1])
    return min(values), max(values)


def _shown(value: Any, kind: str, max_shown: int) -> Any:
    if kind == "number":
        return float(value)
    if kind == "text" and len(value) > max_shown:
        return value[: max_shown - 1] + "…"
    return value


def _moments(kind: str, ordered: Weighted, values: Counter[Any]) -> dict[str, Any]:
    """Return mean, standard deviation and quantiles of numbers; of booleans the mean is the share of true."""
    if kind == "boolean":
        return {"mean": values[True] / sum(values.values()), "std": None, "quantiles": None}
    if kind not in kinds.NUMERIC:
        return {"mean": None, "std": None, "quantiles": None}
    mean, std = mean_and_std(ordered)
    at = quantiles(ordered, QUANTILES)
    return {"mean": mean, "std": std, "quantiles": {f"p{q * 100:02.0f}": at[q] for q in QUANTILES}}


def mean_and_std(ordered: Weighted) -> tuple[float, float | None]:
    """Return mean and sample standard deviation (n - 1); None for one value, or beyond the range of floats."""
    count = sum(weight for _, weight in ordered)
    # Scaled by a power of two, which is exact: squares of very large values overflow, of tiny ones vanish.
    exponent = math.frexp(max(abs(ordered[0][0]), abs(ordered[-1][0])))[1]
    scaled = [(math.ldexp(value, -exponent), weight) for value, weight in ordered]
    mean = math.fsum(value * weight for value, weight in scaled) / count
    squares = math.fsum((value - mean) ** 2 * weight for value, weight in scaled)
    try:
        std = math.ldexp(math.sqrt(squares / (count - 1)), exponent) if count > 1 else None
    except OverflowError:
        std = None
    # Rounding may carry the mean of equal values past them.
    return min(max(math.ldexp(mean, exponent), ordered[0][0]), ordered[-1][0]), std


def quantiles(ordered: Weighted, fractions: tuple[float, ...]) -> dict[float, float]:
    """Interpolate between neighbouring ranks: numpy's default, statistics' method="inclusive"."""
    ends = list(accumulate(weight for _, weight in ordered))
    found = {}
    for fraction in fractions:
        position = fraction * (ends[-1] - 1)
        rank = math.floor(position)
        low, high = (ordered[bisect_right(ends, r)][0] for r in (rank, min(rank + 1, ends[-1] - 1)))
        share = position - rank
        found[fraction] = low if low == high else low * (1 - share) + high * share
    return found


def _bars(kind: str, ordered: Weighted, values: Counter[Any]) -> list[float]:
    """Return a histogram of ordered values, else of the most frequent ones; the highest bar is 1."""
    if ordered:
        heights = _histogram(ordered, whole=kind == "integer")
    else:
        heights = [float(count) for _, count in values.most_common(BARS)]
    highest = max(heights, default=0.0)
    return [height / highest for height in heights]


def _histogram(ordered: Weighted, whole: bool) -> list[float]:
    low, high = ordered[0][0], ordered[-1][0]
    if whole and high - low < MAX_WHOLE_BARS:  # a bar for each number: months in 24 bars would show gaps
        heights = [0.0] * (int(high - low) + 1)
        for value, weight in ordered:
            heights[int(value - low)] += weight
        return heights
    heights = [0.0] * (BARS if high > low else 1)
    # Halved before they are subtracted: the distance between two floats may be no float.
    span = (high / 2 - low / 2) or 1.0
    for value, weight in ordered:
        heights[min(len(heights) - 1, int((value / 2 - low / 2) / span * len(heights)))] += weight
    return heights
