"""Read fixture files in YAML or JSON: a mapping of kinds to lists of entries. Each entry has its line number.

YAML is restricted to JSON's types: dates stay strings, and only `true` and `false` are booleans.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seed.errors import FixtureError

FOLDER = Path(__file__).parent / "fixtures"
SUFFIXES = (".json", ".yaml", ".yml")
DEV_PREFIX = "dev_"


@dataclass(frozen=True)
class Entry:
    """One entry of a fixture file. place: `file:line`."""

    kind: str
    fields: dict[str, Any]
    place: str


class Loader(yaml.SafeLoader):
    """SafeLoader without dates, and without `yes`, `no`, `on` and `off` as booleans."""


Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag.rpartition(":")[2] not in ("timestamp", "bool")]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def read_fixtures(folder: Path = FOLDER, *, with_dev: bool) -> list[Entry]:
    """Return the entries of all files, in the order of the file names. with_dev: include the `dev_*` files.

    Raises FixtureError, which names the problems of all files.
    """
    entries, problems = list[Entry](), list[str]()
    for path in sorted(folder.iterdir()):
        if path.suffix not in SUFFIXES or (path.name.startswith(DEV_PREFIX) and not with_dev):
            continue
        try:
            entries += _read_entries(path)
        except FixtureError as error:
            problems += error.problems
    if problems:
        raise FixtureError(problems)
    return entries


def _read_entries(path: Path) -> Iterator[Entry]:
    content, root = _parse_file(path)
    if root is None:
        return
    _reject_repeated_keys(path, root)
    if not isinstance(content, dict):
        raise FixtureError([f"{path}:1: use a mapping of kinds to lists, such as `schedules: [...]`"])
    for (kind, found), (_, node) in zip(content.items(), root.value, strict=True):
        if not isinstance(found, list):
            raise FixtureError([f"{_place(path, node)}: {kind}: use a list of entries"])
        for fields, part in zip(found, node.value, strict=True):
            if not isinstance(fields, dict):
                raise FixtureError([f"{_place(path, part)}: {kind}: use a mapping of fields"])
            yield Entry(str(kind), fields, _place(path, part))


def _parse_file(path: Path) -> tuple[Any, Any]:
    """Return the content, and the YAML nodes with the line numbers. Parse JSON as JSON: YAML rejects some of it."""
    try:
        text = path.read_text("utf-8")
        if path.suffix != ".json":
            return yaml.load(text, Loader), yaml.compose(text, Loader)  # noqa: S506 - a SafeLoader
        content = json.loads(text)
        # YAML rejects tabs, which JSON allows between tokens. This second parse only provides the line numbers.
        return content, yaml.compose(text.replace("\t", " "), Loader)
    except json.JSONDecodeError as error:
        raise FixtureError([f"{path}:{error.lineno}: {error.msg}"]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FixtureError([f"{path}:{line}: {error.problem}"]) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise FixtureError([f"{path}:1: {error}".replace("\n", " ")]) from None


def _reject_repeated_keys(path: Path, node: Any) -> None:
    """Raise FixtureError for a repeated key: both parsers would silently keep the last value."""
    if isinstance(node, yaml.MappingNode):
        seen = set[str]()
        for key, value in node.value:
            if key.value in seen:
                raise FixtureError([f"{_place(path, key)}: {key.value} is given twice"])
            seen.add(key.value)
            _reject_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _reject_repeated_keys(path, part)


def _place(path: Path, node: Any) -> str:
    return f"{path}:{node.start_mark.line + 1}"
