"""Reads and writes JSON without changing a number: 1.10 and digits beyond a float's stay as they were written.

A number whose text is not that of its float is read as a Number, which is a float to all other code. Python's json
module writes a float by its value only, so the writer lets a Number's text pass through it as a marked string.
"""

import json
import os
import re
from collections.abc import Callable
from typing import Any

MARK = f"number {os.urandom(8).hex()} "  # nobody who sends JSON can know it
MARKED = re.compile(f'"{MARK}([^"]*)"')
CONTAINERS = (dict, list, tuple)
SCALARS = frozenset({str, int, float, bool, type(None)})


class Number(float):
    """A float that remembers its digits."""

    __slots__ = ("digits",)
    digits: str


def parse_number(digits: str) -> float:
    """Return the float for a JSON number with a fraction or an exponent; a Number if the float's own text differs."""
    value = float(digits)
    if float.__repr__(value) == digits:
        return value
    made = Number(value)
    made.digits = digits
    return made


def parse_integer(digits: str) -> float:
    """Return the int for a JSON number without fraction and exponent; for -0, which no int is, a Number."""
    return parse_number(digits) if digits == "-0" else int(digits)


DECODER = json.JSONDecoder(parse_float=parse_number)
# It calls Python for each integer, so it is used only for a text that may hold a -0.
SIGNED_DECODER = json.JSONDecoder(parse_float=parse_number, parse_int=parse_integer)


def read(text: str | bytes) -> Any:
    """Return the value in a JSON text. Raises ValueError."""
    decoded = text.decode() if isinstance(text, bytes) else text
    return (SIGNED_DECODER if "-0" in decoded else DECODER).decode(decoded)


def write(value: Any, encode: Callable[[Any], str] = json.dumps) -> str:
    """Return the value as JSON. encode: writes all but Numbers, and may write other types than JSON's, too."""
    if not _has_number(value):
        return encode(value)
    return MARKED.sub(r"\1", encode(_with_marks(value)))


def _has_number(value: Any) -> bool:
    """Tell whether a Number is in the value. Looks at the types of whole containers: most hold scalars only."""
    level: list[Any] = [(value,)]
    while level:
        below: list[Any] = []
        for each in level:
            inner = each.values() if isinstance(each, dict) else each
            if SCALARS.issuperset(map(type, inner)):
                continue
            if Number in map(type, inner):
                return True
            below += [found for found in inner if type(found) not in SCALARS and isinstance(found, CONTAINERS)]
        level = below
    return False


def _with_marks(value: Any) -> Any:
    """Return a copy with marked strings in place of Numbers. Iterates, because values are nested deeply."""
    holder: list[Any] = [value]
    waiting: list[Any] = [holder]
    while waiting:
        found = waiting.pop()
        for place, each in list(found.items() if isinstance(found, dict) else enumerate(found)):
            if type(each) is Number:
                found[place] = MARK + each.digits
            elif isinstance(each, CONTAINERS):
                found[place] = dict(each) if isinstance(each, dict) else list(each)
                waiting.append(found[place])
    return holder[0]
