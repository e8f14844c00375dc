"""Which JSON is accepted as an event or a result, and the words that refuse the rest."""

import codecs
import json
import math
import re
import threading
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from schema import exact_json
from schema.engine import to_json
from workqueue.errors import BadEventError, EventTooLargeError

MAX_DEPTH = 100  # levels of nesting; contract, section 3
# A real escape for U+0000, not an escaped backslash before "u0000". PostgreSQL cannot store that character.
NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
# Possessive: a text that never ends would otherwise be tried from each of its quotes.
TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
BESIDE_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
AS_SQUARE = bytes.maketrans(b"{}", b"[]")


# One at a time in each process: the objects of a value take up to 50 times the bytes of its text.
PARSER_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class JsonText:
    """A JSON value as text in UTF-8, which is passed on as it is."""

    utf8: bytes

    @classmethod
    def of(cls, value: Any) -> "JsonText":
        """Return the text of a value, which may be one already."""
        return value if isinstance(value, cls) else cls(to_json(value).encode())


def read_event(body: bytes, max_bytes: int) -> JsonText:
    """Return the event in `body`; no body is `{}` (contract, section 3). Raises BadEventError or EventTooLargeError."""
    with PARSER_LOCK:
        return JsonText.of(parse(body, max_bytes) if body else {})


LONGEST_TOKEN = 16  # characters that are read as one, other than texts and numbers


class InvalidBatchError(ValueError):
    """The body is no array, an empty one, or one of too many events."""


class BatchReader:
    """Reads the array of a batch event by event, so that the objects of one event are in memory at a time."""

    def __init__(self, body: bytes, max_event_bytes: int) -> None:
        self._body, self._max_bytes = body, max_event_bytes
        self._decoder = SIGNED_DECODER if b"-0" in body else DECODER
        self._text, self._place = "", 0  # a part of the body, and where in it the next event or comma is
        # Of the part, in bytes.
        self._start = self._end = len(codecs.BOM_UTF8) if body.startswith(codecs.BOM_UTF8) else 0
        self._refill()

    def read(self, most: int) -> list[JsonText]:
        """Return the events. Raises InvalidBatchError, BadEventError, EventTooLargeError."""
        found: list[JsonText] = []
        if self._next() != "[":
            read_event(self._body, self._max_bytes)
            raise InvalidBatchError
        self._place += 1
        if self._next() == "]":
            raise InvalidBatchError
        while True:
            with PARSER_LOCK:
                found.append(self._event(len(found)))
            if len(found) > most:
                raise InvalidBatchError
            delimiter = self._next()
            self._place += 1
            if delimiter == "]":
                break
            if delimiter != ",":
                raise self._bad("Expecting ',' delimiter", self._place - 1)
            self._next()
        if self._next():
            raise self._bad("Extra data", self._place)
        return found

    def _next(self) -> str:
        """Go to the next character that is no space, and return it; "" at the end."""
        while True:
            self._place = SPACES.match(self._text, self._place).end()  # type: ignore[union-attr]  # it always matches
            if self._place < len(self._text):
                return self._text[self._place]
            if self._end == len(self._body):
                return ""
            self._refill()

    def _refill(self) -> None:
        """Take the part of the body that begins here, long enough for the largest event."""
        self._start += len(self._text[: self._place].encode())
        data = self._body[self._start : self._start + self._max_bytes + 1]
        is_last = self._start + len(data) == len(self._body)
        try:
            self._text, used = codecs.utf_8_decode(data, "strict", is_last)
        except UnicodeDecodeError as error:
            raise _not_utf8(self._body, self._start + error.start) from None
        self._place, self._end = 0, self._start + used

    def _event(self, number: int) -> JsonText:
        found = self._scan()
        if found is None and self._place:
            self._refill()
            found = self._scan()
        if found is None:
            raise self._too_large(number)
        value, end = found
        text = self._text[self._place : end]
        if text.count("[") + text.count("{") > MAX_DEPTH:
            check_depth(text.encode())
        check_characters(text)
        if len(text) * 4 > self._max_bytes and len(text.encode()) > self._max_bytes:
            raise self._too_large(number)
        self._place = end
        return JsonText.of(value)

    def _scan(self) -> tuple[Any, int] | None:
        """Return the value that begins here, and its end; None when it goes on beyond this part of the body."""
        is_last = self._end == len(self._body)
        try:
            value, end = self._decoder.raw_decode(self._text, self._place)
        except json.JSONDecodeError as error:
            # What was cut off looks like a text without an end, or goes wrong within the last characters.
            if not is_last and (error.pos + LONGEST_TOKEN > len(self._text) or error.msg.startswith("Unterminated")):
                return None
            raise self._bad(error.msg, error.pos) from None
        except RecursionError:
            raise _too_deep() from None
        except ValueError as error:
            raise _bad_number(error) from None
        return (value, end) if is_last or end < len(self._text) else None

    def _too_large(self, number: int) -> EventTooLargeError:
        return EventTooLargeError(f"Event {number} has more than the {self._max_bytes} bytes that are allowed.")

    def _bad(self, message: str, place: int) -> BadEventError:
        before = self._body[: self._start].decode("utf-8-sig") + self._text[:place]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return BadEventError(f"The body is not JSON: {message} at line {line}, column {column}.")


def parse(body: bytes, max_bytes: int) -> Any:
    """The value in `body`. Raises BadEventError or EventTooLargeError."""
    if len(body) > max_bytes:
        raise EventTooLargeError(f"The event has {len(body)} bytes, {max_bytes} are allowed.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(body, error.start) from None
    check_depth(body)
    check_characters(text)
    try:
        return (SIGNED_DECODER if "-0" in text else DECODER).decode(text)
    except json.JSONDecodeError as error:
        raise BadEventError(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except ValueError as error:
        raise _bad_number(error) from None


def check_depth(body: bytes, most: int = MAX_DEPTH) -> None:
    """Raise BadEventError for more than `most` levels of nesting, before the parser recurses.

    Takes away the innermost pairs of brackets, level by level, until none is left. Not bracket by bracket: a body of
    nothing else would cost seconds.
    """
    if body.count(b"[") + body.count(b"{") <= most:
        return
    brackets = TEXTS.sub(b"", body).translate(AS_SQUARE, BESIDE_BRACKETS)
    for _ in range(most):
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            break
        brackets = outer
    if brackets.count(b"[") > most or b"[]" in brackets:  # what is left open is no JSON, but recursed into as well
        raise _too_deep(most)


def _too_deep(most: int = MAX_DEPTH) -> BadEventError:
    return BadEventError(f"The JSON is nested deeper than {most} levels.")


def _not_utf8(body: bytes, place: int) -> BadEventError:
    return BadEventError(f"The body is not UTF-8: byte {place} is {body[place]:#04x}.")


def _bad_number(error: ValueError) -> BadEventError:
    return BadEventError(f"The body holds a number that is too long: {error}.")


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


def reject_constant(constant: str) -> NoReturn:
    """For the parser: NaN and Infinity are Python's, not JSON's."""
    raise BadEventError(f"{constant} is not JSON: use null or a text.")


def parse_finite(digits: str) -> float:
    """Return the number with its digits. Raises BadEventError for one beyond all floats."""
    number = exact_json.parse_number(digits)
    if not math.isfinite(number):
        raise BadEventError(f"The number {digits[:40]} is too large.")
    return number


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs. Raises BadEventError for a key that stands twice: one value would be lost."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise BadEventError(f"The key {twice[:40]!r} stands twice in one object.")
    return found


_DECODER = partial(
    json.JSONDecoder, parse_constant=reject_constant, parse_float=parse_finite, object_pairs_hook=without_duplicates
)
DECODER, SIGNED_DECODER = _DECODER(), _DECODER(parse_int=exact_json.parse_integer)
SPACES = re.compile(r"[ \t\n\r]*")
