"""Read a TOML file, and name the line of a mistake: tomllib returns values without their lines."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.errors import SettingsError

POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
MAX_DEPTH = 3 + 100  # tables, and the levels of an event in them
MAX_BITS = 64  # of a whole number, as TOML 1.0 requires
Keys = tuple[str, ...]


@dataclass(frozen=True)
class TomlDocument:
    """Hold a parsed file. keys in its methods: the names of the tables and the key, from the outermost one."""

    path: Path
    text: str
    data: dict[str, Any]

    def error(self, message: str, *keys: str) -> SettingsError:
        """Return the error that starts with the file and the line of a key."""
        return SettingsError(f"{self.place(*keys)}: {message}")

    def place(self, *keys: str) -> str:
        return f"{self.path}:{self.line(*keys)}"

    def line(self, *keys: str) -> int:
        """Return the first line of the statement that sets a key; of its table, if the key is missing."""
        for count in range(len(keys), 0, -1):
            for line, found in _statements(self.text):
                if found is not None and _holds(found, keys[:count]):
                    return line
        return 1


def read(path: Path) -> TomlDocument | None:
    """Return the parsed file, or None if there is none. Raises SettingsError with file, line and reason."""
    text = read_text(path)
    if text is None:
        return None
    try:
        document = TomlDocument(path, text, tomllib.loads(text))
    except RecursionError:
        raise SettingsError(f"{path}:{_unfinished_line(text)}: the value is nested too deeply.") from None
    except ValueError as error:
        raise _syntax_error(path, text, str(error)) from None
    _check_values(document)
    return document


def read_text(path: Path) -> str | None:
    """Return the text of a file, or None if there is none. Raises SettingsError with file and reason."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}.") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}: the text is not valid UTF-8; save the file as UTF-8.") from None


def _syntax_error(path: Path, text: str, reason: str) -> SettingsError:
    """Return the error for text that is not TOML. A statement that never ends is reported where it starts."""
    position = POSITION.search(reason)
    line = position[1] if position and position[1] else _unfinished_line(text)
    clause = POSITION.sub("", reason).rstrip(".")
    return SettingsError(f"{path}:{line}: not valid TOML: {clause[:1].lower()}{clause[1:]}.")


def _statements(text: str) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield the first line of each statement, and what tomllib reads in it, below its table's header.

    A statement ends on the first line with which it can be parsed: a line inside a text or an array cannot end one.
    The last one is None if it never ends.
    """
    header, statement, start = "", "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        is_header = statement.startswith("[", len(statement) - len(statement.lstrip()))
        try:
            found = tomllib.loads(statement if is_header else header + statement)
        except (ValueError, RecursionError):
            continue
        yield start, found
        header = statement if is_header else header
        statement, start = "", number + 1
    if statement:
        yield start, None


def _unfinished_line(text: str) -> int:
    return next((line for line, found in _statements(text) if found is None), 1)


def _holds(found: Any, keys: Keys) -> bool:
    for key in keys:
        if isinstance(found, list):
            return True  # a list starts on the line of its key
        if not isinstance(found, dict) or key not in found:
            return False
        found = found[key]
    return True


def _check_values(document: TomlDocument) -> None:
    """Raise SettingsError for values that no setting, limit or event can hold."""
    waiting: list[tuple[Keys, int, Any]] = [((), 0, document.data)]
    while waiting:
        keys, depth, value = waiting.pop()
        name = ".".join(keys)
        if depth > MAX_DEPTH:
            raise document.error(f"{keys[0]}: the value is nested deeper than {MAX_DEPTH} levels.", keys[0])
        if isinstance(value, dict):
            waiting += [((*keys, key), depth + 1, inner) for key, inner in value.items()]
            texts = [*value]
        elif isinstance(value, list):
            waiting += [(keys, depth + 1, inner) for inner in value]
            texts = []
        else:
            texts = [value] if isinstance(value, str) else []
        if any("\0" in text for text in texts):
            raise document.error(f"{name}: the text contains U+0000; remove it.", *keys)
        if isinstance(value, int) and value.bit_length() >= MAX_BITS:
            raise document.error(f"{name}: the number does not fit into {MAX_BITS} bits.", *keys)
