"""Write the parts of the reference that the code knows, as Markdown: commands, HTTP operations, tables.

Usage: python docs/site/generate.py FOLDER. The hooks of mkdocs put them in place of `<!-- generate: NAME -->`.
"""

import html
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Table

from infra.cli.main import cli
from infra.cli.openapi_export import description as api_description
from schema.autogenerate import metadata
from schema.tables import views

METHODS = ("get", "post", "patch", "delete")


def commands() -> Iterator[str]:
    """Yield a section for each command, with its help and options."""
    yield "## Commands"
    yield from _group(cli, "localfn")


def _group(group: click.Group, path: str) -> Iterator[str]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _group(command, f"{path} {name}")
        elif command is not None:
            yield from _command(command, f"{path} {name}")


def _command(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"### {path}"
    yield escaped(command.help or "")
    yield f"```text\n{path} {usage}\n```"
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    if records:
        yield table(("option", "meaning"), [(f"`{name}`", escaped(meaning)) for name, meaning in records])


def operations() -> Iterator[str]:
    """Yield a section for each operation of the HTTP API."""
    yield "## Operations"
    description = json.loads(api_description())
    for path, methods in description["paths"].items():
        for method in METHODS:
            if operation := methods.get(method):
                yield from _operation(f"{method.upper()} {path}", operation, description, methods.get("parameters", []))


def _operation(title: str, operation: Any, description: Any, shared: list[Any]) -> Iterator[str]:
    yield f"### {title}"
    yield escaped(f"{operation['summary']}. {operation.get('description', '')}")
    parameters = [_resolved(one, description) for one in [*shared, *operation.get("parameters", [])]]
    if parameters:
        cells = [(f"`{one['name']}`", one["in"], escaped(one.get("description", ""))) for one in parameters]
        yield table(("parameter", "in", "meaning"), cells)
    answers = {status: _resolved(one, description) for status, one in operation["responses"].items()}
    successes = [(status, escaped(one["description"])) for status, one in answers.items() if status < "400"]
    yield table(("status", "meaning"), successes)
    yield f"Errors: {', '.join(status for status in answers if status >= '400')} ([meaning](#errors))."


def _resolved(value: Any, description: Any) -> Any:
    """Return what a `$ref` names, or the value itself."""
    if "$ref" not in value:
        return value
    for word in value["$ref"].removeprefix("#/").split("/"):
        description = description[word]
    return description


def tables() -> Iterator[str]:
    """Yield a section for each table of the database."""
    yield "## Columns"
    for found in (*metadata.sorted_tables, *views.metadata.sorted_tables):
        yield f"### {found.name}"
        yield _columns(found)


def _columns(found: Table) -> str:
    cells = [
        (
            f"`{column.name}`",
            f"{column.type!s}".lower(),
            "primary key" if column.primary_key else "null" if column.nullable else "",
            escaped(column.comment or ""),
        )
        for column in found.columns
    ]
    return table(("column", "type", "", "meaning"), cells)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def escaped(text: str) -> str:
    """Return one line of text that Markdown shows as it is; words in backticks stay code."""
    words = " ".join(text.replace("\b", "").split())
    if words.count("`") % 2:
        words = words.replace("`", "'")
    parts = words.split("`")
    parts[::2] = [re.sub(r"([\\*_\[\]{}])", r"\\\1", html.escape(part, quote=False)) for part in parts[::2]]
    return "`".join(parts)


def main(folder: Path) -> None:
    """Write one file for each part."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("cli", commands), ("http", operations), ("tables", tables)):
        (folder / f"{name}.md").write_text("\n\n".join(part()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
