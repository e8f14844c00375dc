"""Modules and folders that explanation, reference and CONTRIBUTING name exist."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, pages, prose

PAGES = [*pages("explanation", "reference"), ROOT / "CONTRIBUTING.md"]
CODE = re.compile(r"`([^`]+)`")
PATH = re.compile(r"[\w.-][\w./-]*(?:\.py|\.ts|\.vue|\.yaml|\.json|/)")
NO_FILES = {"_x.py", "dist/"}  # an example of a name, and a folder that is built
SOURCES = ("benchmarks", "docs", "functions", "handlers", "infra", "queue", "schema", "seed", "spa/src", "tests")


def tree() -> list[str]:
    """Return each path of the sources, with a slash behind folders."""
    found = (path for source in SOURCES for path in (ROOT / source).rglob("*"))
    return [
        f"/{path.relative_to(ROOT)}{'/' if path.is_dir() else ''}" for path in found if "__pycache__" not in path.parts
    ]


@pytest.fixture(scope="module")
def paths() -> list[str]:
    return [*tree(), *(f"/{source}/" for source in SOURCES), "/spa/", "/spa/package.json", "/spa/package-lock.json"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_named_module_exists(path: Path, paths: list[str]) -> None:
    named = {text for _, line in prose(path) for text in CODE.findall(line) if PATH.fullmatch(text)}
    missing = [name for name in sorted(named - NO_FILES) if not any(known.endswith(f"/{name}") for known in paths)]
    assert not missing
