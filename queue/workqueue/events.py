"""Which JSON is accepted as an event or a result, and the words that refuse the rest."""

import json
import math
import re
from typing import Any, NoReturn

from workqueue.errors import BadEventError, EventTooLargeError

MAX_DEPTH = 100  # levels of nesting; contract, section 3
# A real escape for U+0000, not an escaped backslash before "u0000". PostgreSQL cannot store that character.
NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
# Possessive: a text that never ends would otherwise be tried from each of its quotes.
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def event(body: bytes, max_bytes: int) -> Any:
    """The event in `body`; no body is `{}` (contract, section 3). Raises BadEventError or EventTooLargeError."""
    return parse(body, max_bytes) if body else {}


def parse(body: bytes, max_bytes: int) -> Any:
    """The value in `body`. Raises BadEventError or EventTooLargeError."""
    if len(body) > max_bytes:
        raise EventTooLargeError(f"The event has {len(body)} bytes, {max_bytes} are allowed.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadEventError(f"The body is not UTF-8: byte {error.start} is {body[error.start]:#04x}.") from None
    check_depth(text)
    check_characters(text)
    try:
        return json.loads(text, parse_constant=refuse_constant, parse_float=finite)
    except json.JSONDecodeError as error:
        raise BadEventError(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError as error:
        if isinstance(error, BadEventError):
            raise
        raise BadEventError(f"The body holds a number that is too long: {error}.") from None


def check_depth(text: str) -> None:
    """Counts brackets outside of texts, before the parser recurses into them."""
    depth = 0
    for match in BRACKETS.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadEventError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
        elif mark in "]}":
            depth -= 1


def check_characters(text: str) -> None:
    if "\\u0000" in text and NUL_ESCAPE.search(text):
        raise BadEventError("A text holds the character U+0000, which PostgreSQL cannot store.")
    if SURROGATE_ESCAPE.search(text) and not _is_unicode(text):
        raise BadEventError("A text holds half of a surrogate pair, which is not valid Unicode.")


def _is_unicode(text: str) -> bool:
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    except ValueError:
        return True  # not JSON at all: the parser has the better words for that
    return True


def refuse_constant(constant: str) -> NoReturn:
    """For the parser: NaN and Infinity are Python's, not JSON's."""
    raise BadEventError(f"{constant} is not JSON: use null or a text.")


def finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BadEventError(f"The number {digits[:40]} is too large.")
    return number
