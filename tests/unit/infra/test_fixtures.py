"""Check fixture files: their entries, and errors with file and line."""

from pathlib import Path
from typing import Any

import pytest

from seed import fixtures
from seed.errors import FixtureError


def read(folder: Path, name: str, text: str, *, with_dev: bool = True) -> list[fixtures.Entry]:
    (folder / name).write_text(text)
    return fixtures.read_fixtures(folder, with_dev=with_dev)


def test_entries_know_the_line_that_they_begin_in(tmp_path: Path) -> None:
    text = "# a comment\nusers:\n  - username: ada\n    password: x\n  - username: bob\nrequests:\n\n  - key: a\n"
    found = read(tmp_path, "a.yaml", text)
    assert [(entry.kind, entry.place.rpartition(":")[2]) for entry in found] == [
        ("users", "3"),
        ("users", "5"),
        ("requests", "8"),
    ]
    assert found[0].fields == {"username": "ada", "password": "x"}


def test_json_is_read_as_json_with_tabs_and_pairs_of_surrogates(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, "a.json", '{\n\t"users": [\n\t\t{"username":\t"\\ud83d\\ude00"}\n\t]\n}')
    assert entry.fields == {"username": "😀"}
    assert entry.place.endswith("a.json:3")


@pytest.mark.parametrize(
    ("text", "value"),
    [("2026-01-01", "2026-01-01"), ("yes", "yes"), ("on", "on"), ("true", True), ("1.5", 1.5), ("null", None)],
)
def test_yaml_values_equal_json_values(tmp_path: Path, text: str, value: Any) -> None:
    (entry,) = read(tmp_path, "a.yml", f"users:\n  - username: {text}\n")
    assert entry.fields == {"username": value}


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.json", '{"users": [\n{"username": }]}', 2, "Expecting value"),
        ("a.yaml", "users:\n  - a: 1\n   b: 2\n", 3, ""),
        ("a.yaml", "- 1\n- 2\n", 1, "a mapping of kinds"),
        ("a.yaml", "\nusers: ada\n", 2, "use a list of entries"),
        ("a.yaml", "users:\n  - username: a\n  - ada\n", 3, "a mapping of fields"),
        ("a.yaml", "users:\n  - username: a\n    username: b\n", 3, "given twice"),
        ("a.json", '{"users": [],\n "users": []}', 2, "given twice"),
        ("a.yaml", "users: !!python/object:os.system []\n", 1, "could not determine a constructor"),
    ],
)
def test_an_unreadable_file_is_reported_with_file_and_line(
    tmp_path: Path, name: str, text: str, line: int, words: str
) -> None:
    with pytest.raises(FixtureError) as caught:
        read(tmp_path, name, text)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path / name}:{line}: ")
    assert words in problem


def test_dev_files_and_unknown_files_are_skipped_and_empty_files_are_valid(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("not a fixture")
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert len(read(tmp_path, "dev_a.yaml", "users:\n  - username: a\n")) == 1
    assert fixtures.read_fixtures(tmp_path, with_dev=False) == []


def test_every_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("users: 1")
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(FixtureError) as caught:
        fixtures.read_fixtures(tmp_path, with_dev=False)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        str(tmp_path / "a.yaml"),
        str(tmp_path / "b.json"),
    ]
