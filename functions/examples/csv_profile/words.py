"""Put figures into words."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 5


def counted(number: int, noun: str) -> str:
    """Return `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def listed(names: Sequence[str]) -> str:
    """Return the first names, short, and how many more there are: `a, b and 7 more`."""
    shown = ", ".join(name if len(name) <= 40 else name[:39] + "…" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
