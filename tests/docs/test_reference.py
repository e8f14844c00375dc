"""The reference names what the code has: no call, command, metric or table is missing, and none is invented."""

import json
import re
import tomllib
from collections.abc import Iterator

import click
import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.cli.main import cli
from schema.autogenerate import metadata
from schema.tables import views
from tests.docs.markdown import DOCS, ROOT, prose
from tests.support.runtime import Runtime

REFERENCE = DOCS / "reference"
CALL = re.compile(r"(?:(GET|POST|PATCH|DELETE) )?(/[\w./{}]*)")
COUNTED = re.compile(r"_(?:total|count|sum|bucket|created)$")


def rows(page: str) -> Iterator[list[str]]:
    """Yield the cells of each table row of a page."""
    for _, line in prose(REFERENCE / page):
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_page_of_the_http_api_lists_every_call(runtime: Runtime) -> None:
    described = runtime.get("/openapi.json")["paths"]
    operations = {
        (method.upper(), path)
        for path, methods in described.items()
        for method in methods
        if method in ("get", "post", "patch", "delete")
    }
    listed: set[tuple[str, str]] = set()
    for cells in rows("http-api.md"):
        method = ""
        for text in code(cells[0]):
            if call := CALL.fullmatch(text):
                method = call[1] or method
                listed.add((method, call[2]))
    assert listed - {("", "/"), ("", "/rq/")} == operations


def test_the_page_of_the_command_line_lists_every_command() -> None:
    listed: set[str] = set()
    for cells in rows("cli.md"):
        group = ""
        for text in code(cells[0]):
            group = text.rpartition(" ")[0] if " " in text else group
            listed.add(text if " " in text or not group else f"{group} {text}")
    # `up`, `web` and their like stand alone in their rows; those behind a group's command belong to the group.
    assert {name for name in listed if _command(name) is None} == set()
    assert set(_all_commands(cli)) <= listed | {name.rpartition(" ")[2] for name in listed}


def _command(name: str) -> click.Command | None:
    found: click.Command | None = cli
    for word in name.split():
        found = found.get_command(click.Context(cli), word) if isinstance(found, click.Group) else None
    return found or cli.get_command(click.Context(cli), name.rpartition(" ")[2])


def _all_commands(group: click.Group, path: str = "") -> Iterator[str]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from _all_commands(command, f"{path}{name} ")
        else:
            yield path + name


def test_the_page_of_telemetry_lists_every_metric(runtime: Runtime) -> None:
    runtime.call("echo", 1)
    exported = {family.name for family in text_string_to_metric_families(runtime.http.get("/metrics").text)}
    ours = {name for name in exported if name.startswith("localfn_")}
    listed = {name for cells in rows("telemetry.md") for name in code(cells[0]) if name.startswith("localfn_")}
    assert {COUNTED.sub("", name) for name in listed} == ours


@pytest.mark.parametrize("page", ["tables.md"])
def test_the_tables_of_the_page_exist(page: str) -> None:
    listed = {name for cells in rows(page) for name in code(cells[0])}
    assert listed - set(metadata.tables) - set(views.metadata.tables) == {"alembic_version"}


def test_the_page_of_the_dependencies_names_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    declared = {re.split(r"[\[<>=!~ ]", requirement)[0] for group in groups for requirement in group}
    pages = json.loads((ROOT / "spa" / "package.json").read_text(encoding="utf-8"))
    page = (DOCS / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w@/.-]+", page))
    types = {name for name in declared if name.startswith("types-")}  # "type stubs"
    assert declared | set(pages["dependencies"]) <= named | types
