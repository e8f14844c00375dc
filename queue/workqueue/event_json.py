"""Read JSON events and results: strict RFC 8259, bounded in size and depth, only text that PostgreSQL can store."""

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
# Possessive: an unterminated string would otherwise be tried again from each of its quotes.
TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
AS_SQUARE = bytes.maketrans(b"{}", b"[]")


# One parser at a time in each process: the objects of a value take up to 50 times the bytes of its text.
PARSER_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class JsonText:
    """Hold a JSON value as UTF-8 text, which is passed on unparsed."""

    utf8: bytes

    @classmethod
    def of(cls, value: Any) -> "JsonText":
        """Return the text of a value, which may be one already."""
        return value if isinstance(value, cls) else cls(to_json(value).encode())


def read_event(body: bytes, max_bytes: int) -> JsonText:
    """Return the event in `body`; no body is `{}` (contract, section 3). Raises BadEventError or EventTooLargeError."""
    with PARSER_LOCK:
        return JsonText.of(parse(body, max_bytes) if body else {})


MAX_TOKEN = 16  # characters of a token that is neither a string nor a number


class InvalidBatchError(ValueError):
    """The body is not an array, or it has no event, or too many."""


class BatchReader:
    """Read the array of a batch event by event: only the objects of one event are in memory at a time."""

    def __init__(self, body: bytes, max_event_bytes: int) -> None:
        self._body, self._max_bytes = body, max_event_bytes
        self._decoder = SIGNED_DECODER if b"-0" in body else DECODER
        self._text, self._index = "", 0  # a part of the body, and the index of the next event or comma in it
        # Bounds of that part in the body, in bytes.
        self._start = self._end = len(codecs.BOM_UTF8) if body.startswith(codecs.BOM_UTF8) else 0
        self._refill()

    def read(self, max_events: int) -> list[JsonText]:
        """Return the events. Raises InvalidBatchError, BadEventError, EventTooLargeError."""
        events: list[JsonText] = []
        if self._peek() != "[":
            read_event(self._body, self._max_bytes)
            raise InvalidBatchError
        self._index += 1
        if self._peek() == "]":
            raise InvalidBatchError
        while True:
            with PARSER_LOCK:
                events.append(self._event(len(events)))
            if len(events) > max_events:
                raise InvalidBatchError
            delimiter = self._peek()
            self._index += 1
            if delimiter == "]":
                break
            if delimiter != ",":
                raise self._bad("Expecting ',' delimiter", self._index - 1)
            self._peek()
        if self._peek():
            raise self._bad("Extra data", self._index)
        return events

    def _peek(self) -> str:
        """Skip white space, and return the next character; "" at the end."""
        while True:
            self._index = SPACES.match(self._text, self._index).end()  # type: ignore[union-attr]  # it always matches
            if self._index < len(self._text):
                return self._text[self._index]
            if self._end == len(self._body):
                return ""
            self._refill()

    def _refill(self) -> None:
        """Decode the next part of the body from here on, long enough for the largest event."""
        self._start += len(self._text[: self._index].encode())
        data = self._body[self._start : self._start + self._max_bytes + 1]
        is_last = self._start + len(data) == len(self._body)
        try:
            self._text, used = codecs.utf_8_decode(data, "strict", is_last)
        except UnicodeDecodeError as error:
            raise _not_utf8(self._body, self._start + error.start) from None
        self._index, self._end = 0, self._start + used

    def _event(self, number: int) -> JsonText:
        scanned = self._scan()
        if scanned is None and self._index:
            self._refill()
            scanned = self._scan()
        if scanned is None:
            raise self._too_large(number)
        value, end = scanned
        text = self._text[self._index : end]
        if text.count("[") + text.count("{") > MAX_DEPTH:
            check_depth(text.encode())
        check_characters(text)
        if len(text) * 4 > self._max_bytes and len(text.encode()) > self._max_bytes:
            raise self._too_large(number)
        self._index = end
        return JsonText.of(value)

    def _scan(self) -> tuple[Any, int] | None:
        """Return the value that begins here, and its end; None if it goes beyond this part of the body."""
        is_last = self._end == len(self._body)
        try:
            value, end = self._decoder.raw_decode(self._text, self._index)
        except json.JSONDecodeError as error:
            # A value that is cut off looks like an unterminated string, or fails within the last characters.
            if not is_last and (error.pos + MAX_TOKEN > len(self._text) or error.msg.startswith("Unterminated")):
                return None
            raise self._bad(error.msg, error.pos) from None
        except RecursionError:
            raise _too_deep() from None
        except ValueError as error:
            raise _bad_number(error) from None
        return (value, end) if is_last or end < len(self._text) else None

    def _too_large(self, number: int) -> EventTooLargeError:
        return EventTooLargeError(f"Event {number} has more than the {self._max_bytes} bytes that are allowed.")

    def _bad(self, message: str, index: int) -> BadEventError:
        before = self._body[: self._start].decode("utf-8-sig") + self._text[:index]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return BadEventError(f"The body is not JSON: {message} at line {line}, column {column}.")


def parse(body: bytes, max_bytes: int) -> Any:
    """Return the value in `body`. Raises BadEventError or EventTooLargeError."""
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


def check_depth(body: bytes, max_depth: int = MAX_DEPTH) -> None:
    """Raise BadEventError for more than `max_depth` levels of nesting, before the parser recurses.

    It removes the innermost pairs of brackets level by level, until no pair remains. To count bracket by bracket would
    take seconds for a body that has nothing else.
    """
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    brackets = TEXTS.sub(b"", body).translate(AS_SQUARE, ALL_BUT_BRACKETS)
    for _ in range(max_depth):
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            break
        brackets = outer
    # Unclosed brackets are not JSON, but the parser would recurse into them, too.
    if brackets.count(b"[") > max_depth or b"[]" in brackets:
        raise _too_deep(max_depth)


def _too_deep(max_depth: int = MAX_DEPTH) -> BadEventError:
    return BadEventError(f"The JSON is nested deeper than {max_depth} levels.")


def _not_utf8(body: bytes, index: int) -> BadEventError:
    return BadEventError(f"The body is not UTF-8: byte {index} is {body[index]:#04x}.")


def _bad_number(error: ValueError) -> BadEventError:
    return BadEventError(f"The body holds a number that is too long: {error}.")


def check_characters(text: str) -> None:
    """Raise BadEventError for characters that PostgreSQL cannot store."""
    if "\\u0000" in text and NUL_ESCAPE.search(text):
        raise BadEventError("A text contains the character U+0000, which PostgreSQL cannot store.")
    if SURROGATE_ESCAPE.search(text) and not _is_unicode(text):
        raise BadEventError("A text contains an unpaired surrogate, which is not valid Unicode.")


def _is_unicode(text: str) -> bool:
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    except ValueError:
        return True  # not JSON: the parser has the better message
    return True


def reject_constant(constant: str) -> NoReturn:
    """Raise BadEventError for NaN and Infinity, which Python's parser accepts and JSON does not have."""
    raise BadEventError(f"{constant} is not JSON: use null or a text.")


def parse_finite(digits: str) -> float:
    """Return the number with its digits. Raises BadEventError for a number beyond the range of floats."""
    number = exact_json.parse_number(digits)
    if not math.isfinite(number):
        raise BadEventError(f"The number {digits[:40]} is too large.")
    return number


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these pairs. Raises BadEventError for a duplicate key: one value would be lost."""
    found = dict(pairs)
    if len(found) != len(pairs):
        duplicate = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise BadEventError(f"The key {duplicate[:40]!r} appears twice in one object.")
    return found


_make_decoder = partial(
    json.JSONDecoder, parse_constant=reject_constant, parse_float=parse_finite, object_pairs_hook=without_duplicates
)
DECODER, SIGNED_DECODER = _make_decoder(), _make_decoder(parse_int=exact_json.parse_integer)
SPACES = re.compile(r"[ \t\n\r]*")
