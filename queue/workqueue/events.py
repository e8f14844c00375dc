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
TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BESIDE_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
AS_SQUARE = bytes.maketrans(b"{}", b"[]")


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
    check_depth(body)
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


def check_depth(body: bytes) -> None:
    """Before the parser recurses: takes away the innermost pairs of brackets, level by level, until none is left.

    Not bracket by bracket: a body of nothing else would cost seconds.
    """
    brackets = TEXTS.sub(b"", body).translate(AS_SQUARE, BESIDE_BRACKETS)
    for _ in range(MAX_DEPTH):
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            break
        brackets = outer
    if brackets.count(b"[") > MAX_DEPTH or b"[]" in brackets:  # what is left open is no JSON, but recursed into as well
        raise BadEventError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")


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
