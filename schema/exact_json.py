"""Read and write JSON without changing a number: 1.10 and digits beyond a float's precision stay as written.

If a number's text differs from the text of its float, it becomes a Number, which other code uses as a float.
Python's json module writes only a float's value. So the writer passes a Number's digits through it as a marked string,
and removes the mark afterwards.
"""

import json
import os
import re
from collections.abc import Callable
from typing import Any

MARK = f"number {os.urandom(8).hex()} "  # random, so that no client can send it
MARKED = re.compile(f'"{MARK}([^"]*)"')
CONTAINERS = (dict, list, tuple)
SCALARS = frozenset({str, int, float, bool, type(None)})


class Number(float):
    """A float that keeps the digits it was written with."""

    __slots__ = ("digits",)
    digits: str


def parse_number(digits: str) -> float:
    """Return the float for a JSON number with a fraction or an exponent; a Number if the float's own text differs."""
    value = float(digits)
    if float.__repr__(value) == digits:
        return value
    number = Number(value)
    number.digits = digits
    return number


def parse_integer(digits: str) -> float:
    """Return the int for a JSON number without fraction and exponent; a Number for -0, because ints have no -0."""
    return parse_number(digits) if digits == "-0" else int(digits)


DECODER = json.JSONDecoder(parse_float=parse_number)
# Calls a Python function for each integer, so `read` uses it only for a text that may contain -0.
SIGNED_DECODER = json.JSONDecoder(parse_float=parse_number, parse_int=parse_integer)


def read(text: str | bytes) -> Any:
    """Return the value in a JSON text. Raises ValueError."""
    decoded = text.decode() if isinstance(text, bytes) else text
    return (SIGNED_DECODER if "-0" in decoded else DECODER).decode(decoded)


def write(value: Any, encode: Callable[[Any], str] = json.dumps) -> str:
    """Return the value as JSON. encode: writes everything but Numbers; may support types that JSON lacks."""
    if not _has_number(value):
        return encode(value)
    return MARKED.sub(r"\1", encode(_with_marks(value)))


def _has_number(value: Any) -> bool:
    """Return True if the value contains a Number. Check whole containers at once: most contain only scalars."""
    containers: list[Any] = [(value,)]
    while containers:
        nested: list[Any] = []
        for container in containers:
            items = container.values() if isinstance(container, dict) else container
            if SCALARS.issuperset(map(type, items)):
                continue
            if Number in map(type, items):
                return True
            nested += [item for item in items if type(item) not in SCALARS and isinstance(item, CONTAINERS)]
        containers = nested
    return False


def _with_marks(value: Any) -> Any:
    """Return a copy with marked strings in place of Numbers. Avoid recursion, because values can be deeply nested."""
    holder: list[Any] = [value]
    unvisited: list[Any] = [holder]
    while unvisited:
        container = unvisited.pop()
        for key, item in list(container.items() if isinstance(container, dict) else enumerate(container)):
            if type(item) is Number:
                container[key] = MARK + item.digits
            elif isinstance(item, CONTAINERS):
                container[key] = dict(item) if isinstance(item, dict) else list(item)
                unvisited.append(container[key])
    return holder[0]
