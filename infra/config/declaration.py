"""Declare each setting once: a dataclass field holds the variable's name, its reader, its default and its description.

The declarations parse the environment, find unknown names, and print the tables of the reference:
`python -m infra.config.declaration`.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from infra.config.environment import Environment
from infra.errors import SettingsError, nearest_hint

DECLARED, GROUP = "declared", "group"
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """Provide what readers need. directory: base of relative paths; earlier: fields that were read before, by name."""

    env: Environment
    directory: Path
    earlier: dict[str, Any] = field(default_factory=dict)

    @property
    def is_production(self) -> bool:
        return bool(self.earlier["env"] == "production")


Reader = Callable[[Source, str, Any], Any]  # source, name of the variable, default


@dataclass(frozen=True)
class Setting:
    """Declare one variable.

    production: the default in production, if it differs. shown: the default as text. about: the description; a field
    without one only derives a value from a variable that another field declares. parts: further variables that the
    reader uses. separator: of the items, if the value is a list. is_secret: never shown.
    """

    name: str
    read: Reader
    default: Any = None
    production: Any = None
    shown: str = ""
    about: str = ""
    parts: tuple[str, ...] = ()
    section: str = ""
    separator: str = ""
    is_secret: bool = False

    def value(self, source: Source) -> Any:
        """Return the parsed value. Raises SettingsError."""
        use_production = self.production is not None and source.is_production
        return self.read(source, self.name, self.production if use_production else self.default)

    def default_text(self) -> str:
        """Return the default as the reference shows it."""
        text = self.shown or ("none" if self.default is None else str(self.default))
        return text if self.production is None else f"{text} (production: {self.production})"


def setting(name: str, read: Reader, default: Any = None, **options: Any) -> Any:
    """Return a dataclass field for a variable. options: the other fields of Setting."""
    return field(metadata={DECLARED: Setting(name, read, default, **options)})


def group(kind: type) -> Any:
    """Return a dataclass field that holds another dataclass of settings."""
    return field(metadata={GROUP: kind})


def declarations(kind: type) -> Iterator[Setting]:
    """Yield the declared settings of a dataclass and of its groups."""
    for item in dataclasses.fields(kind):
        if GROUP in item.metadata:
            yield from declarations(item.metadata[GROUP])
        else:
            yield item.metadata[DECLARED]


def list_separators(kind: type) -> dict[str, str]:
    """Return all variables that the settings of a dataclass are read from, each with its separator, or ""."""
    return {name: declared.separator for declared in declarations(kind) for name in (declared.name, *declared.parts)}


def check_names(kind: type, environ: Mapping[str, str], *, prefix: str, allowed: frozenset[str]) -> None:
    """Raise SettingsError for an unknown variable with this prefix. allowed: further names."""
    known = list_separators(kind).keys()
    for name in sorted(environ):
        if name.startswith(prefix) and name not in known | allowed:
            raise SettingsError(f"{name} is unknown; {nearest_hint(name, known, 'localfn has no such setting.')}")


def read_fields(kind: type[T], source: Source) -> T:
    """Read all fields of a dataclass of settings, in their order. Raises SettingsError."""
    values: dict[str, Any] = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]  # every caller passes a dataclass
        metadata = item.metadata
        try:
            value = read_fields(metadata[GROUP], source) if GROUP in metadata else metadata[DECLARED].value(source)
        except SettingsError as error:
            raise source.env.located(error) from None
        values[item.name] = source.earlier[item.name] = value
    return kind(**values)


def choice(*choices: str) -> Reader:
    return lambda source, name, default: source.env.choice(name, default, choices)


def flag(value: str, *others: str) -> Reader:
    """Return a reader for a choice that is true for `value`."""
    return lambda source, name, default: source.env.choice(name, default, (value, *others)) == value


def switch(source: Source, name: str, default: str) -> bool:
    return source.env.choice(name, default, ("1", "0", "true", "false")) in ("1", "true")


def integer(at_least: int, at_most: int | None = None) -> Reader:
    return lambda source, name, default: source.env.integer(name, default, at_least=at_least, at_most=at_most)


def number(above: float | None = None) -> Reader:
    return lambda source, name, default: source.env.number(name, default, above=above)


def http_url(example: str) -> Reader:
    return lambda source, name, _: source.env.url(name, example)


def size(source: Source, name: str, default: int) -> int:
    return source.env.size(name, default)


def text(source: Source, name: str, default: str) -> str:
    return source.env.text(name, default)


def optional(source: Source, name: str, _: None) -> str | None:
    return source.env.optional(name)


def is_set(source: Source, name: str, _: None) -> bool:
    return source.env.is_set(name)


def path(source: Source, name: str, default: str) -> Path:
    return source.env.path(name, default, source.directory)


def program(source: Source, name: str, default: str) -> str:
    return source.env.program(name, default, source.directory)


def markdown(kind: type) -> str:
    """Return the tables of the reference, one per section."""
    sections: dict[str, list[str]] = {}
    for declared in declarations(kind):
        if declared.about:
            row = f"| `{declared.name}` | {declared.default_text()} | {declared.about} |"
            sections.setdefault(declared.section, ["| name | default | meaning |", "|---|---|---|"]).append(row)
    return "\n\n".join(f"## {title}\n" + "\n".join(rows) for title, rows in sections.items()) + "\n"


def main() -> None:
    from infra.config.settings import Settings

    sys.stdout.write(markdown(Settings))


if __name__ == "__main__":
    main()
