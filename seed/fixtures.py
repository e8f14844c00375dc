"""Reads fixture files, YAML or JSON: a mapping of kinds to lists of entries, each with the line that it begins in.

YAML is read as JSON has it: a date stays a text, and only `true` and `false` are truth values.
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
    """place: `file:line`."""

    kind: str
    fields: dict[str, Any]
    place: str


class Loader(yaml.SafeLoader):
    """SafeLoader without dates, and without `yes`, `no`, `on` and `off` for truth values."""


Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag.rpartition(":")[2] not in ("timestamp", "bool")]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def read_fixtures(folder: Path = FOLDER, *, with_dev: bool) -> list[Entry]:
    """The entries of all files in the order of their names. Raises FixtureError, which names every file's trouble.

    with_dev: those of `dev_*` files, too.
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
        raise FixtureError([f"{path}:1: a mapping of kinds to lists is needed, such as `schedules: [...]`"])
    for (kind, found), (_, node) in zip(content.items(), root.value, strict=True):
        if not isinstance(found, list):
            raise FixtureError([f"{_place(path, node)}: {kind}: a list is needed"])
        for fields, part in zip(found, node.value, strict=True):
            if not isinstance(fields, dict):
                raise FixtureError([f"{_place(path, part)}: {kind}: a mapping of fields is needed"])
            yield Entry(str(kind), fields, _place(path, part))


def _parse_file(path: Path) -> tuple[Any, Any]:
    """The content, and the nodes that know the lines. JSON's own reader takes what YAML's does not."""
    try:
        text = path.read_text("utf-8")
        if path.suffix != ".json":
            return yaml.load(text, Loader), yaml.compose(text, Loader)  # noqa: S506 - a SafeLoader
        content = json.loads(text)
        # A tab stands between JSON's tokens only; YAML wants none there. Only the lines are taken from this reading.
        return content, yaml.compose(text.replace("\t", " "), Loader)
    except json.JSONDecodeError as error:
        raise FixtureError([f"{path}:{error.lineno}: {error.msg}"]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FixtureError([f"{path}:{line}: {error.problem}"]) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise FixtureError([f"{path}:1: {error}".replace("\n", " ")]) from None


def _reject_repeated_keys(path: Path, node: Any) -> None:
    """Both readers keep the last of two equal keys without a word."""
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
