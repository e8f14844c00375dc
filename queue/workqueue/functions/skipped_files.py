"""Find files that seem to declare functions but are not discovered, each with the reason.

Only files whose text contains a declaration of a function are reported, not shared code, notes or data.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

DECLARATION = re.compile(rb"@(\w+\.)*function\b")
MAX_READ_BYTES = 256 * 1024
MAX_DEPTH, MAX_ENTRIES = 3, 1000  # in folders without __init__.py, which may contain large data
VENV_FILE = "pyvenv.cfg"  # marks a virtual environment
FOREIGN_FOLDERS = frozenset({"node_modules", "site-packages", "__pycache__"})
TESTS = re.compile(r"(test_.*|.*_test|conftest)\.py")


@dataclass(frozen=True, slots=True, order=True)
class SkippedFile:
    """A file that is not discovered, or a folder that cannot be read."""

    source_file: str
    reason: str


def is_module(path: Path) -> bool:
    """Return True if discovery imports this file of a functions folder."""
    if path.suffix != ".py" or path.name.startswith(("_", ".")) or "." in path.stem:
        return False
    if (path.parent / path.stem / "__init__.py").is_file():  # Python prefers the package
        return False
    # Skip tests unless they declare a function: they import packages that only tests need.
    return TESTS.fullmatch(path.name) is None or declares_function(path)


def is_package(path: Path) -> bool:
    """Return True if discovery imports this subfolder of a functions folder."""
    return "." not in path.name and not path.name.startswith("_") and (path / "__init__.py").is_file()


def declares_function(path: Path) -> bool:
    """Return True if the text of the file declares a function; False if the file cannot be read."""
    try:
        found = path.stat()
        return path.is_file() and _text_declares_function(path, found.st_mtime_ns, found.st_size)
    except OSError:
        return False


@lru_cache(maxsize=4096)
def _text_declares_function(path: Path, _mtime_ns: int, _size: int) -> bool:
    with path.open("rb") as file:
        return DECLARATION.search(file.read(MAX_READ_BYTES)) is not None


def find_skipped(folders: Iterable[Path]) -> tuple[SkippedFile, ...]:
    """Return the files that discovery skips in these functions folders."""
    return tuple(sorted({skipped for folder in folders for skipped in _skipped_in_folder(folder)}))


def _skipped_in_folder(folder: Path) -> Iterator[SkippedFile]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        yield SkippedFile(str(folder), f"it cannot be read: {error.strerror}")
        return
    for path in paths:
        if path.is_dir():
            yield from _skipped_below(path)
        elif not is_module(path) and declares_function(path) and (reason := _reason(path)):
            yield SkippedFile(str(path), reason)


def _reason(path: Path) -> str:
    """Return why a file that declares a function is not imported; empty for a copy of an imported file."""
    name, folder = path.name, path.parent
    if path.suffix == ".ipynb":
        return "it is a notebook; save its code as a .py file"
    if path.suffix != ".py":
        original = name.partition(".py")[0] + ".py"
        return "" if (folder / original).exists() else "its name does not end in .py; rename it"
    if name.startswith("."):
        return "its name begins with '.', as hidden files do; rename it"
    if name.startswith("_"):
        return "its name begins with '_', as shared code does; rename it"
    if "." in path.stem:
        return "Python cannot import a file with a '.' in its name; rename it"
    return f"the folder {path.stem} has the same name and comes first; rename one of them"


def _skipped_below(folder: Path) -> Iterator[SkippedFile]:
    """Yield skipped files in folders that are not packages, down to MAX_DEPTH."""
    remaining_entries = MAX_ENTRIES
    for path, folders, files in os.walk(folder):
        here = Path(path)
        depth = len(here.relative_to(folder).parts)
        if (
            VENV_FILE in files
            or here.name in FOREIGN_FOLDERS
            or here.name.startswith(".")
            or depth > MAX_DEPTH
            or remaining_entries < 0
        ):
            folders.clear()
            continue
        remaining_entries -= len(folders) + len(files)
        if is_package(here) and (depth == 0 or (here.parent / "__init__.py").is_file()):
            continue
        reason = _reason_for_folder(here, folder)
        for name in sorted(files)[:MAX_ENTRIES]:
            if name.endswith(".py") and declares_function(here / name):
                yield SkippedFile(str(here / name), reason)


def _reason_for_folder(here: Path, top: Path) -> str:
    """Return why a folder is not imported. top: its ancestor directly in the functions folder."""
    for folder in (top, *(top / part for part in _prefixes(here, top))):
        if "." in folder.name:
            return f"Python cannot import the folder {folder.name}, for the '.' in its name; rename it"
        if folder.name.startswith("_"):
            return f"the name of the folder {folder.name} begins with '_', as shared code does; rename it"
        if not (folder / "__init__.py").is_file():
            return f"the folder {folder.name} has no __init__.py; add an empty one, or move the file up"
    return "a folder above it is not imported"


def _prefixes(here: Path, top: Path) -> Iterator[Path]:
    parts = here.relative_to(top).parts
    return (Path(*parts[: count + 1]) for count in range(len(parts)))
