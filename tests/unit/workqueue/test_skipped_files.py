"""Check which undiscovered files of a functions folder are reported, and why."""

from pathlib import Path

import pytest

from workqueue.functions import discovery
from workqueue.functions.skipped_files import find_skipped

DECLARING = "from localfn import function\n\n\n@function\ndef f(event, context):\n    return 1\n"


def write(folder: Path, *names: str, text: str = DECLARING) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def discover(folder: Path) -> set[str]:
    return {unit.module for unit in discovery.find_units([str(folder)])}


def skip_reasons(folder: Path) -> dict[str, str]:
    return {str(Path(each.source_file).relative_to(folder)): each.reason for each in find_skipped([folder])}


def test_names_that_are_no_identifiers_are_discovered(tmp_path: Path) -> None:
    names = ("my-function", "2fa", "with space", "über", "class")
    write(tmp_path, *(f"{name}.py" for name in names), "my-package/__init__.py", "test_it.py")
    assert discover(tmp_path) == {*names, "my-package", "test_it"}
    assert skip_reasons(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("sub/x.py", "the folder sub has no __init__.py; add an empty one"),
        ("a/b/c/x.py", "the folder a has no __init__.py"),
        ("_private.py", "begins with '_'"),
        (".hidden.py", "begins with '.'"),
        ("a.b.py", "a '.' in its name"),
        ("a.b/x.py", "the folder a.b"),
        ("_shared/x.py", "the folder _shared begins"),
        ("note book.ipynb", "it is a notebook"),
        ("hello.py.txt", "does not end in .py"),
        ("hello.PY", "does not end in .py"),
        ("hello", "does not end in .py"),
    ],
)
def test_a_file_that_declares_a_function_is_named_with_the_reason(tmp_path: Path, name: str, part: str) -> None:
    write(tmp_path, name)
    assert discover(tmp_path) == set()
    assert list(skip_reasons(tmp_path)) == [name]
    assert part in skip_reasons(tmp_path)[name]


def test_files_without_functions_are_not_reported(tmp_path: Path) -> None:
    names = ("_shared.py", "sub/data.py", "notes.ipynb", "README", "a.b.py", "test_hello.py", "conftest.py")
    write(tmp_path, *names, text="import pytest\n")
    write(tmp_path, "hello.py", "hello.py~", "hello.py.bak", "__pycache__/x.py", "node_modules/x.py")
    write(tmp_path, "venv/lib/x.py")
    write(tmp_path, "venv/pyvenv.cfg", text="home = /usr\n")
    assert discover(tmp_path) == {"hello"}
    assert skip_reasons(tmp_path) == {}


def test_a_folder_inside_a_package_is_looked_into(tmp_path: Path) -> None:
    write(tmp_path, "parcel/__init__.py", "parcel/inner/__init__.py", "parcel/inner/x.py", "parcel/bare/x.py")
    assert skip_reasons(tmp_path) == {
        "parcel/bare/x.py": "the folder bare has no __init__.py; add an empty one, or move the file up"
    }


def test_a_file_behind_a_package_of_its_name_is_named(tmp_path: Path) -> None:
    write(tmp_path, "x.py", "x/__init__.py")
    assert len(discovery.find_units([str(tmp_path)])) == 1
    assert skip_reasons(tmp_path) == {"x.py": "the folder x has the same name and comes first; rename one of them"}


def test_a_folder_of_data_beside_a_file_of_its_name_hides_nothing(tmp_path: Path) -> None:
    write(tmp_path, "x.py", "x/data.csv")
    assert discover(tmp_path) == {"x"}
    assert skip_reasons(tmp_path) == {}


def test_links_that_lead_nowhere_or_around_in_circles_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".#hello.py").symlink_to("nobody@nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert skip_reasons(tmp_path) == {}
