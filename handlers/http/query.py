"""Parse query parameters and headers strictly: an unknown name or a bad value is answered with 422."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import request
from werkzeug.exceptions import NotFound

from handlers.http.problems import invalid_field
from schema.statuses import Status
from workqueue import timestamps

MAX_WAIT_S = 60
MAX_SEARCH_CHARACTERS = 200
MAX_QUOTED_CHARACTERS = 80  # of a bad value, in the error that names it
MAX_DELAY_S = 366 * 24 * 3600.0
# One preference up to its comma, with its parameters; or, without the group `name`, text that is not a preference.
_TOKEN, _QUOTED = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++", r'"(?:[^"\\]|\\.)*+"'
PREFERENCE = re.compile(
    rf"\s*+(?P<name>{_TOKEN})\s*+(?:=\s*+(?P<value>{_TOKEN}|{_QUOTED})\s*+)?+(?:;(?:[^,\"]|{_QUOTED})*+)?+(?:,|$)"
    rf"|(?:[^,\"]|{_QUOTED}|\")++(?:,|$)"
)
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Reader:
    """Parse the text of a parameter. read raises ValueError with the expected form. schema: the JSON Schema."""

    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    description: str = ""

    def __call__(self, text: str) -> Any:
        return self.read(text)

    def described(self, description: str) -> "Reader":
        """Return the reader with the description of one parameter."""
        return replace(self, description=description)


def with_schema(**schema: Any) -> Callable[[Callable[[str], Any]], Reader]:
    """Turn a function into a Reader with this JSON Schema."""
    return lambda read: Reader(read, schema)


def read_parameters(readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the parameters of the query, None for an absent one. Raises 422."""
    for name in request.args:
        if name not in readers:
            known = f"use one of {', '.join(sorted(readers))}" if readers else "remove it: the path has none"
            raise invalid_field(name, f"is not a query parameter of this path; {known}")
    return {name: _read(name, reader) for name, reader in readers.items()}


def _read(name: str, reader: Reader) -> Any:
    values = request.args.getlist(name)
    if not values:
        return None
    if len(values) > 1:
        raise invalid_field(name, "is given more than once; send it once")
    try:
        return reader(values[0])
    except ValueError as error:
        raise invalid_field(name, f"{quote(values[0])} is not valid; use {error}") from None


def quote(value: object) -> str:
    """Return the value as an error message shows it: quoted, and cut if it is long."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[:MAX_QUOTED_CHARACTERS]}…"


def integer(low: int, high: int) -> Reader:
    @with_schema(type="integer", minimum=low, maximum=high)
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


@with_schema(type="number", minimum=0, maximum=MAX_DELAY_S)
def delay_s(text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text, re.ASCII) or float(text) > MAX_DELAY_S:
        raise ValueError(f"seconds from 0 to {MAX_DELAY_S:.0f}")
    return float(text)


@with_schema(type="string", format="date-time", examples=[timestamps.EXAMPLE])
def date_time(text: str) -> datetime:
    try:
        return timestamps.read_time(text)
    except ValueError:
        years = f"from {timestamps.FIRST_YEAR} to {timestamps.LAST_YEAR}"
        raise ValueError(f"a time with its zone, {years}, such as {timestamps.EXAMPLE}") from None


@with_schema(type="string", minLength=1, maxLength=MAX_SEARCH_CHARACTERS, pattern=r"^[^\u0000]*$")
def search_text(text: str) -> str:
    if not 1 <= len(text) <= MAX_SEARCH_CHARACTERS or "\0" in text:
        raise ValueError(f"1 to {MAX_SEARCH_CHARACTERS} characters without U+0000")
    return text


def choice(choices: tuple[str, ...]) -> Reader:
    @with_schema(type="string", enum=list(choices))
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return read


@with_schema(type="string", enum=[str(status) for status in Status])
def status(text: str) -> Status:
    return Status(choice(tuple(Status))(text))


@with_schema(type="boolean")
def boolean(text: str) -> bool:
    return bool(choice(("true", "false"))(text) == "true")


@with_schema(type="string", enum=["", "true", "false"])
def flag(text: str) -> bool:
    """Return True for a name without a value, such as `?verbose`, too."""
    return text == "" or bool(boolean(text))


@with_schema(type="string", format="uuid")
def cursor(text: str) -> UUID:
    if not UUID_TEXT.fullmatch(text):
        raise ValueError("the next_cursor of the previous page")
    return UUID(text)


@with_schema(type="string", pattern=r"^[0-9]{1,9}\.[0-9]{1,9}$", examples=["1.250"])
def log_position(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d{1,9}\.\d{1,9}", text, re.ASCII):
        raise ValueError("the Next-After of the previous answer, such as 1.250")
    attempt, number = text.split(".")
    return int(attempt), int(number)


def parse_request_id(text: str) -> UUID:
    return parse_id(text, "request")


def parse_id(text: str, kind: str) -> UUID:
    """Return the id in a path. Raises 404 for a text that is not a UUID. kind: the resource, for the error."""
    if not UUID_TEXT.fullmatch(text):
        raise NotFound(
            f"There is no {kind} {quote(text)}; an id is a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057."
        )
    return UUID(text)


def preferred_wait_s(header: str) -> int | None:
    """Return N of `Prefer: wait=N` (RFC 7240), limited to 1 to 60.

    The first `wait` counts, in any case, quoted or not. An invalid preference is ignored, as the RFC demands.
    """
    for match in PREFERENCE.finditer(header):
        if (match["name"] or "").lower() == "wait":
            digits = (match["value"] or "").strip('"')
            return min(max(int(digits), 1), MAX_WAIT_S) if re.fullmatch(r"\d{1,9}", digits, re.ASCII) else None
    return None


def has_thread_to_wait() -> bool:
    """Return whether the server has a thread for this call to wait in; without one it is answered at once."""
    return bool(request.environ.get("localfn.may_wait", True))
