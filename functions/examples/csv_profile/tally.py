"""Count one column's cells: exactly while they fit in memory, in a summary of bounded size beyond that."""

from __future__ import annotations

import heapq
from collections import Counter
from hashlib import blake2b
from typing import Any

from examples.csv_profile import kinds

MAX_TEXT = 120
# The columns of a table share the memory for summaries; these are the limits of one column.
_HASHES, _MIN_HASHES, _HASHES_OF_ALL = 4096, 64, 1_000_000  # standard error: 1/sqrt(4096) = 1.6 %, 1/sqrt(64) = 13 %
_CENTROIDS, _MIN_CENTROIDS, _CENTROIDS_OF_ALL = 2000, 64, 500_000
_HASH_SPACE = 2.0**64


class Tally:
    """Count how often each text occurs in a column.

    counts: text -> how often, of the cells that are not missing. missing: number of empty cells.
    spilled: None while `counts` holds everything. decimal: the column's decimal point. columns: of its table.
    """

    def __init__(self, decimal: str = ".", columns: int = 1) -> None:
        self.decimal = decimal
        self.columns = columns
        self.counts: Counter[str] = Counter()
        self.missing = 0
        self.spilled: Spilled | None = None

    def add(self, cells: list[str]) -> None:
        """Count one batch of the column; "" is a missing cell."""
        if max(map(len, cells)) > MAX_TEXT:
            cells = [_shortened(cell) for cell in cells]
        self.counts.update(cells)
        self.missing += self.counts.pop("", 0)

    def read(self, text: str) -> tuple[str, Any]:
        """Return kind and value of one of the texts."""
        return kinds.read(text, self.decimal)

    def distinct(self) -> int:
        """Return the number of distinct texts, estimated once some have spilled."""
        return self.spilled.distinct(self.counts) if self.spilled else len(self.counts)

    def spill(self) -> None:
        """Keep the most frequent texts, and the extremes so that these stay exact; sum up the others."""
        values = {text: self.read(text) for text in self.counts}
        kept = {text: count for text, count in self.counts.most_common(len(self.counts) // 4) if count > 1}
        kept.update((text, self.counts[text]) for text in _extremes(values))
        self.spilled = self.spilled or Spilled(self.columns)
        self.spilled.absorb({text: self.counts[text] for text in values if text not in kept}, values)
        self.counts = Counter(kept)


def relieve(tallies: list[Tally], limit: int) -> None:
    """Let the largest columns spill until all hold at most `limit` texts together (at least 10 each)."""
    total = sum(len(tally.counts) for tally in tallies)
    if total <= limit:
        return
    largest = [(-len(tally.counts), place) for place, tally in enumerate(tallies)]
    heapq.heapify(largest)
    while total > limit:
        size, place = largest[0]
        tallies[place].spill()
        heapq.heapreplace(largest, (-len(tallies[place].counts), place))
        total += len(tallies[place].counts) + size


class Spilled:
    """Sum up texts that were counted and then let go.

    kinds: the kinds seen. centroids: (value, weight) of numbers and moments, ascending, neighbours merged.
    """

    def __init__(self, columns: int) -> None:
        self._max_hashes = max(_MIN_HASHES, min(_HASHES, _HASHES_OF_ALL // columns))
        self._max_centroids = max(_MIN_CENTROIDS, min(_CENTROIDS, _CENTROIDS_OF_ALL // columns))
        self.kinds: set[str] = set()
        self.centroids: list[tuple[float, int]] = []
        self._hashes: set[int] = set()

    def absorb(self, counts: dict[str, int], values: dict[str, tuple[str, Any]]) -> None:
        """Add texts: how often each occurs in the column, and its kind and value."""
        self._hashes = self._smallest(self._hashes.union(map(_hash, counts)))
        self.kinds.update(values[text][0] for text in counts)
        ordered = ((values[text], count) for text, count in counts.items())
        self.centroids += [(float(value), count) for (kind, value), count in ordered if kind in kinds.ORDERED]
        self.centroids = _merged(self.centroids, self._max_centroids)

    def distinct(self, others: Counter[str]) -> int:
        """Estimate the distinct texts in here and in `others` together from the smallest hashes (KMV)."""
        smallest = self._smallest(self._hashes.union(map(_hash, others)))
        if len(smallest) < self._max_hashes:
            return len(smallest)
        return round((self._max_hashes - 1) * _HASH_SPACE / max(smallest))

    def _smallest(self, hashes: set[int]) -> set[int]:
        most = self._max_hashes
        return hashes if len(hashes) <= most else set(heapq.nsmallest(most, hashes))


def _merged(centroids: list[tuple[float, int]], most: int) -> list[tuple[float, int]]:
    """Join neighbours as long as none carries more than its share of the weight; the mean of all stays."""
    share = sum(weight for _, weight in centroids) / most
    merged: list[tuple[float, int]] = []
    for value, weight in sorted(centroids):
        before, carried = merged[-1] if merged else (0.0, 0)
        if merged and carried + weight <= share:
            merged[-1] = (before + (value - before) * (weight / (carried + weight)), carried + weight)
        else:
            merged.append((value, weight))
    return merged


def _extremes(values: dict[str, tuple[str, Any]]) -> set[str]:
    """Return the smallest and the largest as text, as number and as moment."""
    found = {min(values), max(values)}
    for group in (kinds.NUMERIC, kinds.MOMENTS):
        ordered = [(value, text) for text, (kind, value) in values.items() if kind in group]
        if ordered:
            found |= {min(ordered)[1], max(ordered)[1]}
    return found


def _hash(text: str) -> int:
    # Not hash(): Python salts it, and the same file must give the same result twice.
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _shortened(text: str) -> str:
    """Return a long text as its beginning and a digest: still distinct from others, no longer large."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[: MAX_TEXT - 20]}…{_hash(text):016x}"
