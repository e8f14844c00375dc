"""Parse command line arguments: events, files, ages and times. Bad arguments fail before anything is sent."""

import json
import math
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
MAX_AGE_S = 50 * 366 * 86400  # older than any request, and still a time that the API accepts
EVENT_PART = "event"  # the part of the multipart body that holds the event; not allowed as a file name


class Event(click.ParamType[bytes]):
    """Parse JSON text, @FILE or - (stdin) into the bytes to send."""

    name = "JSON|@FILE|-"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            raw, source = _read_source(value)
        except OSError as error:
            self.fail(f"{value[1:]!r} cannot be read: {error.strerror or error}", param, ctx)
        if reason := json_fault(raw):
            self.fail(f"{source} {reason}", param, ctx)
        return raw.removeprefix(b"\xef\xbb\xbf")


def _read_source(value: str) -> tuple[bytes, str]:
    if value == "-":
        return sys.stdin.buffer.read(), "stdin"
    if value.startswith("@"):
        return Path(value[1:]).read_bytes(), value[1:]
    return value.encode("utf-8", "surrogateescape"), "the value"


def json_fault(raw: bytes) -> str:
    """Return why `raw` is not valid JSON, as the predicate of a sentence; return "" for valid JSON."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"is not UTF-8: byte {error.start} is {raw[error.start]:#04x}."
    if not text.strip():
        return "is empty; omit --data to send {}."
    try:
        json.loads(text, parse_constant=_reject_constant)
    except json.JSONDecodeError as error:
        return f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
    except RecursionError:
        return "is nested too deeply."
    except ValueError as error:
        return f"is not JSON: {error}"
    return ""


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not allowed; use null or a string.")


class NamedFile(click.ParamType[tuple[str, Path]]):
    """Parse NAME=PATH of a readable file."""

    name = "NAME=PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, separator, path = value.partition("=")
        if not (name and separator and path):
            self.fail(f"{value!r} is not of the form NAME=PATH.", param, ctx)
        if name == EVENT_PART:
            self.fail("'event' is reserved for the event; choose another NAME.", param, ctx)
        try:
            Path(path).open("rb").close()
        except OSError as error:
            self.fail(f"{path!r} cannot be read: {error.strerror or error}", param, ctx)
        return name, Path(path)


class Seconds(click.ParamType[float]):
    """Parse a number of seconds."""

    name = "S"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


class Age(click.ParamType[timedelta]):
    """Parse an age: `90s`, `15m`, `12h`, `7d`, `2w`."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        age = parse_age(value)
        if age is None:
            self.fail(f"{value!r} is not an age; write, for example, 90s, 15m, 12h or 7d.", param, ctx)
        return age


class Moment(click.ParamType[str]):
    """Parse a time, or an age before now, into a time for the API."""

    name = "TIME|AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        age = parse_age(value)
        if age is not None:
            return time_before(age)
        try:
            # A time without a zone is in this machine's zone.
            return datetime.fromisoformat(value).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time; write 2026-01-31T12:00:00Z, 2026-01-31 or 2h.", param, ctx)


def parse_age(text: str) -> timedelta | None:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]+)", text, re.ASCII)
    if match is None or match[2] not in UNITS_S:
        return None
    return timedelta(seconds=min(float(match[1]) * UNITS_S[match[2]], MAX_AGE_S))


def time_before(age: timedelta) -> str:
    return (datetime.now(UTC) - age).isoformat()
