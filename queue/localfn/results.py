"""What a function returned, as strict JSON text."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import re
import uuid
from pathlib import PurePath
from typing import Any

# A real escape for U+0000, not a backslash that is itself escaped. PostgreSQL cannot store that character.
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class ResultNotSerializableError(Exception):
    """The function returned something that JSON cannot hold."""


def to_json(value: Any) -> bytes:
    """The value as UTF-8 JSON. Raises ResultNotSerializableError, naming what is in the way."""
    try:
        text = json.dumps(value, default=convert, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        encoded = text.encode()
    except UnicodeEncodeError:
        raise ResultNotSerializableError("the result holds a text that is not valid Unicode") from None
    except RecursionError:
        raise ResultNotSerializableError("the result is nested too deeply, or holds itself") from None
    except (TypeError, ValueError) as error:
        raise ResultNotSerializableError(f"the result cannot be written as JSON: {error}") from None
    if "\\u0000" in text and NUL.search(text):
        raise ResultNotSerializableError("the result holds the character U+0000, which PostgreSQL cannot store")
    return encoded


def convert(value: Any) -> Any:
    """What the json module does not know, as something that it does."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, PurePath)):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return _number(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return value.model_dump(mode="json")
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} is not JSON")


def _number(value: decimal.Decimal) -> Any:
    # A bare number, as AWS Lambda writes it; the json module can only write int and float.
    whole = value.is_finite() and value == value.to_integral_value() and value.adjusted() < 400
    return int(value) if whole else float(value)
