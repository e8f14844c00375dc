"""Serialize the result of a function as strict JSON, with all its digits and characters."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import json
import math
import os
import re
import uuid
from itertools import chain
from pathlib import PurePath
from typing import Any

from localfn.outcome.failure import ResultNotSerializableError

# An escaped U+0000, which PostgreSQL cannot store; an escaped backslash before "u0000" does not match.
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# The json module writes int and float only. A Decimal passes it as a text with a random prefix, removed afterwards.
DECIMAL = f"decimal {os.urandom(8).hex()} "
DECIMALS = re.compile(f'"{DECIMAL}([^"]*)"')
MAX_DEPTH = 500  # levels of nesting; localfn's own readers recurse, and Python ends a recursion at 1,000
MAX_DIGITS = 4_300  # of a whole number: Python's own limit for reading one
MAX_PATH = 200  # characters of a path in a message
CONTAINERS = (dict, list, tuple)
TEXTS = frozenset({str})
SCALARS = frozenset({str, int, float, bool, type(None)})
ADVICE: tuple[tuple[Any, str], ...] = (
    (enum.Enum, "use its .value"),
    ((bytes, bytearray, memoryview), "write it as text, base64 for example, or as a file with save_file()"),
    (datetime.timedelta, "use .total_seconds()"),
    (collections.abc.Set, "use sorted(…) or list(…)"),
    (collections.abc.Mapping, "use dict(…)"),
    (collections.abc.Iterator, "use list(…)"),
    (collections.abc.Awaitable, "run it with asyncio.run(…)"),
)


def to_json(value: Any) -> bytes:
    """Return the value as UTF-8 JSON. Raises ResultNotSerializableError with the path of the wrong value."""
    try:
        check_keys(value)
        text = json.dumps(value, default=convert, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        encoded = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultNotSerializableError(_explain(value, error)) from None
    if "\\u0000" in text and NUL.search(text):
        raise ResultNotSerializableError(_explain(value, ValueError("it contains the character U+0000")))
    return DECIMALS.sub(r"\1", text).encode() if DECIMAL in text else encoded


def convert(value: Any) -> Any:
    """Convert a value that the json module cannot serialize. Raises TypeError or ValueError if that is impossible."""
    converted = _convert_value(value)
    check_keys(converted)
    return converted


def _convert_value(value: Any) -> Any:
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        if value != value:
            raise ValueError(f"a {_type_name(value)} is not a time; use None")
        return value.isoformat()
    if isinstance(value, (uuid.UUID, PurePath)):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return DECIMAL + _format_decimal(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return value.model_dump(mode="json")
    raise TypeError(f"a {_type_name(value)} is not JSON" + _advice_for(value))


def check_keys(value: Any) -> None:
    """Raise ValueError for two keys of a dict with the same JSON text, and for too many levels.

    json.dumps writes the keys 1, True and None as texts, and writes both of two that collide.
    """
    level: list[Any] = [value] if isinstance(value, CONTAINERS) else []
    seen = {id(value)}
    depth = 0
    while level:  # all containers of a level at once: a loop over each takes as long as json.dumps
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        dicts = [each for each in level if isinstance(each, dict)]
        if not TEXTS.issuperset(map(type, chain.from_iterable(dicts))):
            for each in dicts:
                _key_texts(each)
        lists = [each for each in level if not isinstance(each, dict)]
        inner = chain(chain.from_iterable(map(dict.values, dicts)), chain.from_iterable(lists))
        below = [found for found in inner if type(found) not in SCALARS and isinstance(found, CONTAINERS)]
        fresh = {id(each): each for each in below if id(each) not in seen}
        seen.update(fresh)
        level = list(fresh.values())


def _key_texts(found: dict[Any, Any]) -> dict[str, Any]:
    """Return the values by the JSON texts of their keys. Raises TypeError or ValueError for a wrong key."""
    keys: dict[str, Any] = {}
    for key in found:
        text = _key_text(key)
        if text in keys:
            raise ValueError(f"the keys {keys[text]!r} and {key!r} are both {text!r} as text")
        keys[text] = key
    return {text: found[key] for text, key in keys.items()}


def _key_text(key: Any) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float):
        if not math.isfinite(key):
            raise ValueError(f"the key {float(key)} is not JSON; use a text")
        return float.__repr__(key)
    raise TypeError(f"the key {key!r:.100} is a {_type_name(key)}; keys are texts: use str(…)")


def _format_decimal(value: decimal.Decimal) -> str:
    """Return a Decimal as a JSON number with all its digits, trailing zeros too. Raises ValueError."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"Decimal('{value}') is not JSON; use None or a text")
    if exponent > 0 and value.adjusted() < MAX_DIGITS:
        return format(value, "f")  # 1000, not 1E+3: readers take a number with an exponent for a float
    if exponent > 0 or (exponent < 0 and math.isinf(float(value))):
        raise ValueError("the Decimal is too large for a JSON number; use a text")
    return decimal.Decimal.__str__(value)


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _advice_for(value: Any) -> str:
    if isinstance(value, type):
        return ""
    advice = next((advice for kind, advice in ADVICE if isinstance(value, kind)), "")
    if not advice and hasattr(value, "tolist"):  # numpy's scalars and arrays
        advice = "use .tolist()"
    return f"; {advice}" if advice else ""


def _explain(value: Any, error: Exception) -> str:
    """Return the path of the first value that JSON cannot hold, and the reason."""
    try:
        path, reason = _find_fault(value, "$", ()) or ("$", str(error))
    except RecursionError:
        path, reason = "$", f"it is nested deeper than {MAX_DEPTH} levels, or contains itself"
    except Exception:
        path, reason = "$", str(error)
    return f"{path}: {reason}" if len(path) <= MAX_PATH else f"{path[:MAX_PATH]}…: {reason}"


def _find_fault(value: Any, path: str, above: tuple[int, ...]) -> tuple[str, str] | None:
    """Return path and reason of the first wrong value in or below `value`.

    above: ids of the containers around it.
    """
    if id(value) in above:
        return path, "it contains itself"
    try:
        if isinstance(value, dict):
            inner = [(f"{path}{_path_step(text)}", each) for text, each in _key_texts(value).items()]
        elif isinstance(value, (list, tuple)):
            inner = [(f"{path}[{place}]", each) for place, each in enumerate(value)]
        elif isinstance(value, (str, int, float)) or value is None:
            _check_scalar(value)
            inner = []
        else:
            inner = [(path, _convert_value(value))]
    except (TypeError, ValueError) as error:
        return path, str(error)
    for place, each in inner:
        if (found := _find_fault(each, place, (*above, id(value)))) is not None:
            return found
    return None


def _path_step(key: str) -> str:
    _check_scalar(key)
    return f".{key}" if key.isidentifier() else f"[{json.dumps(key, ensure_ascii=False)}]"


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text contains the character U+0000, which PostgreSQL cannot store")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            half = value[error.start]
            raise ValueError(
                f"a text contains an unpaired surrogate, U+{ord(half):04X}: it is not valid Unicode"
            ) from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{float(value)} is not JSON; use None or a text")
    elif isinstance(value, int):
        try:
            int.__repr__(value)
        except ValueError:
            raise ValueError("a whole number has more than the 4,300 digits that Python reads; use a text") from None
