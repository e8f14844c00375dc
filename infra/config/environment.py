"""Parse the texts of settings: one method per type; a bad value raises one clear line."""

import importlib.util
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from infra.errors import SettingsError
from infra.redaction import redact

MAX_NUMBER = 100_000  # of seconds, or of days: a time that far from now can be computed and stored
BYTES_PER_UNIT = {
    "": 1,
    "B": 1,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": 1024**3,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
}


class FileValue(str):
    """Hold the text of a value in localfn.toml. find_place: returns file and line, for errors."""

    __slots__ = ("find_place", "is_quoted", "key")
    is_quoted: bool
    key: str
    find_place: Callable[[], str]

    def __new__(cls, text: str, value: Any, key: str, find_place: Callable[[], str]) -> Self:
        """Return the text. value: as TOML has it. key: its name in the file."""
        made = super().__new__(cls, text)
        made.is_quoted = isinstance(value, (str, list))
        made.key = key
        made.find_place = find_place
        return made


class Environment:
    """Parse a set of variables. An empty value counts as unset: compose files pass `NAME=` for an unset variable."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def is_set(self, name: str) -> bool:
        return bool(self._variables.get(name, "").strip())

    def located(self, error: SettingsError) -> SettingsError:
        """Return the error with file, line and key, if the variable that it starts with comes from localfn.toml."""
        found = re.match(r"\w*", message := str(error))
        value = self._variables.get(found[0]) if found else None
        if not found or not isinstance(value, FileValue):
            return error
        return SettingsError(f"{value.find_place()}: {value.key}{message[found.end() :]}")

    def optional(self, name: str) -> str | None:
        """Return a text; None if it is unset."""
        value = self._variables.get(name, "")
        if isinstance(value, FileValue) and not value.is_quoted:
            raise SettingsError(redact(f"{name}: {value} is not a text; put it in quotes."))
        return value.strip() or None

    def text(self, name: str, default: str) -> str:
        return self.optional(name) or default

    def items(self, name: str, default: str, *, separator: str) -> tuple[str, ...]:
        items = tuple(item.strip() for item in self.text(name, default).split(separator) if item.strip())
        if not items:
            raise SettingsError(f"{name}: the list is empty; name at least one item.")
        return items

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self._scalar(name, default)
        for choice in choices:
            if value.casefold() == choice.casefold():
                return choice
        raise SettingsError(f"{name}: {value!r} is not valid; use one of {', '.join(choices)}.")

    def integer(self, name: str, default: int, *, at_least: int, at_most: int | None = None) -> int:
        value = self._scalar(name, str(default))
        limits = f"from {at_least} to {at_most}" if at_most is not None else f"of at least {at_least}"
        # ASCII digits only: int() also takes those of other scripts. At most 18: a column of PostgreSQL holds them.
        number = int(value) if re.fullmatch(r"[0-9]{1,18}", value) else -1
        if number < at_least or (at_most is not None and number > at_most):
            raise SettingsError(f"{name}: {value!r:.200} is not a whole number {limits}.")
        return number

    def number(self, name: str, default: float, *, above: float | None = None) -> float:
        """Return a number from 0, or greater than `above`, to MAX_NUMBER."""
        value = self._scalar(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number <= MAX_NUMBER or (above is not None and number <= above):
            start = "from 0 to" if above is None else f"above {above}, at most"
            raise SettingsError(f"{name}: {value!r:.200} is not a number {start} {MAX_NUMBER}.")
        return number

    def size(self, name: str, default: int) -> int:
        """Return a number of bytes: `1048576`, `1MiB`, `1.5 GB`."""
        value = self._scalar(name, str(default))
        match = re.fullmatch(r"(\d{1,18}(?:\.\d+)?)\s*([A-Za-z]*)", value, re.ASCII)
        unit = BYTES_PER_UNIT.get(match[2].upper()) if match else None
        if match is None or unit is None or float(match[1]) * unit < 1:
            raise SettingsError(f"{name}: {value!r:.200} is not a size; write a number of bytes, or for example 6MiB.")
        return int(float(match[1]) * unit)

    def url(self, name: str, example: str) -> str | None:
        """Return an http(s) URL without a trailing slash."""
        url = self.optional(name)
        if url is not None and not re.match(r"https?://[^/?#]", url):
            raise SettingsError(f"{name} must start with http:// or https://, such as {example}.")
        return None if url is None else url.rstrip("/")

    def path(self, name: str, default: str, directory: Path) -> Path:
        """Return an absolute path. directory: the base of a relative path."""
        return directory / _expand_user(name, self.text(name, default))

    def program(self, name: str, default: str, directory: Path) -> str:
        """Return the path of a program, or a name to look up on PATH.

        A path is made absolute, since sandboxes start in another folder. It is not resolved: Python finds its virtual
        environment by the link in the environment's `bin`.
        """
        text = self.text(name, default)
        return str(directory / _expand_user(name, text)) if os.sep in text else text

    def sources(self, name: str, default: str, directory: Path) -> tuple[str, ...]:
        """Return folders and modules, split at each `:` except inside the path of an existing folder."""
        pieces, found = self.text(name, default).split(":"), list[str]()
        while pieces:
            counts = range(len(pieces), 1, -1)
            count = next((n for n in counts if (directory / _expand_user(name, ":".join(pieces[:n]))).is_dir()), 1)
            found.append(":".join(pieces[:count]).strip())
            del pieces[:count]
        named = tuple(str(_expand_user(name, item)) if item.startswith("~") else item for item in found if item)
        if not named:
            raise SettingsError(f"{name}: the list is empty; name at least one folder or module.")
        return named

    def _scalar(self, name: str, default: str) -> str:
        """Return the text of a value that needs no quotes in localfn.toml, such as a number."""
        return self._variables.get(name, "").strip() or default


def _expand_user(name: str, text: str) -> Path:
    """Expand a leading `~` or `~user`. Raises SettingsError."""
    try:
        return Path(text.strip()).expanduser()
    except RuntimeError:
        reason = "starts with the home folder of an unknown account"
        raise SettingsError(f"{name}: {text.strip()!r} {reason}.") from None


def require_extra(extra: str, package: str, name: str) -> None:
    """Raise SettingsError if the package, which an extra of localfn installs, is missing. name: what needs it."""
    if importlib.util.find_spec(package) is None:
        raise SettingsError(f"{name}: the package {package} is missing; install localfn[{extra}].")
