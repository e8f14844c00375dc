"""Decide the kind of a cell, and the kind of a column whose cells are of several kinds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime, timezone

NUMERIC = frozenset(("integer", "number"))
MOMENTS = frozenset(("date", "datetime"))
ORDERED = NUMERIC | MOMENTS

# pandas' list, the dashes that people type, and the infinities: no statistic survives one, and JSON has no
# word for it.
MISSING = frozenset(("", "-", "--", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>")).union(
    ("NULL", "null", "None", "NaN", "NAN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    (sign + word for sign in ("", "-", "+") for word in ("inf", "Inf", "INF", "infinity", "Infinity")),
)

# No leading zeros (007 and 02134 are names, not amounts), and at most 38 digits, as databases have them: longer ones
# are names, too.
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,37})")
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|(?:0|[1-9][0-9]*)(?=[eE]))(?:[eE][+-]?[0-9]+)?")
# 1,5 and 1.234,56 and 1'234.56: what the comma means, the cell alone does not say.
_FOREIGN_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:[.,' \u2019\u00a0\u202f][0-9]{3})+|[0-9]+)(?:[.,][0-9]+)?")
_SWAP = str.maketrans(",.", ".,")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def read(text: str, decimal: str = ".") -> tuple[str, int | float | bool | str]:
    """Return kind and value of a cell that is not missing; the value of a date or datetime is its Unix time.

    decimal: "." or ",", which the file writes before the digits of a fraction.
    """
    if _INTEGER.fullmatch(text):
        return "integer", int(text)
    plain = text if decimal == "." else text.translate(_SWAP)
    if _NUMBER.fullmatch(plain):
        number = float(plain) + 0.0  # -0.0 becomes 0.0
        return ("number", number) if math.isfinite(number) else ("text", text)
    if text.lower() in _BOOLEANS:
        return "boolean", _BOOLEANS[text.lower()]
    return _read_moment(text) or ("text", text)


def _read_moment(text: str) -> tuple[str, float] | None:
    """Read ISO 8601 only: 03/04/2013 is two different days. A time without a zone is ordered as if it were UTC."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, minute, second, fraction, zone = found.groups()
    if zone and zone != "Z" and ":" not in zone:
        zone = zone[:3] + ":" + zone[3:]
    iso = f"{day}T{minute or '00:00'}{second or ':00'}.{(fraction or '')[:6]:0<6}{zone or 'Z'}"
    try:
        moment = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return None
    return ("datetime" if minute else "date"), (moment - _EPOCH).total_seconds()


def is_foreign_number(text: str) -> bool:
    """Return whether a text may be a number with a decimal comma, or with separators between thousands."""
    return _FOREIGN_NUMBER.fullmatch(text) is not None


def common(kinds: Iterable[str]) -> str:
    """Return the kind of a column whose cells are of these kinds."""
    seen = frozenset(kinds)
    if not seen:
        return "empty"
    if len(seen) == 1:
        return next(iter(seen))
    if seen == {"integer", "number"}:
        return "number"
    if seen == {"date", "datetime"}:
        return "datetime"
    return "text"
