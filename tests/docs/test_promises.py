"""Each promise names tests that exist."""

import re
from pathlib import Path

from tests.docs.markdown import DOCS, ROOT

PROMISES = DOCS / "explanation" / "promises.md"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(?:[\w/]*/)?(test_\w+\.py)?(?:::(test_\w+))?`")
FOLDER = re.compile(r"`(tests/[\w/]+)`")


def suite() -> dict[str, str]:
    """Return the texts of all test modules, by their file names."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        found[path.name] = found.get(path.name, "") + path.read_text(encoding="utf-8")
    return found


def test_promises_are_numbered_and_each_has_a_proof() -> None:
    found = ROW.findall(PROMISES.read_text(encoding="utf-8"))
    assert [int(number) for number, *_ in found] == list(range(1, len(found) + 1))
    assert len(found) >= 25
    unproved = [number for number, _, proof, _ in found if "test_" not in proof and "tests/" not in proof]
    assert not unproved


def test_each_proof_is_a_test_of_the_suite() -> None:
    tests, missing = suite(), []
    for number, _, proof, _ in ROW.findall(PROMISES.read_text(encoding="utf-8")):
        file = ""
        for module, function in NAMED.findall(proof):
            file = module or file
            if file and (file not in tests or (function and f"def {function}(" not in tests[file])):
                missing.append(f"{number}: {file}::{function}")
        missing += [f"{number}: {folder}" for folder in FOLDER.findall(proof) if not Path(ROOT, folder).exists()]
    assert not missing, "\n".join(missing)
