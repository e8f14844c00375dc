"""One module writes the state (architecture, section 1)."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# An UPDATE's SET, or a column value in an insert or update.
ASSIGNS = re.compile(r"SET\s+status\b|\"status\":\s*Status\.|\.values\([^)]*\bstatus\s*=", re.IGNORECASE)


def test_nobody_but_the_lifecycle_assigns_a_status() -> None:
    folders = ("handlers", "infra", "queue", "schema", "seed")
    writers = {
        path.relative_to(ROOT)
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if ASSIGNS.search(path.read_text())
    }
    assert writers
    assert {str(path.parent) for path in writers} == {"queue/workqueue/lifecycle"}


def test_only_the_lifecycle_and_readers_of_it_name_the_table_in_sql() -> None:
    statement = re.compile(r"(UPDATE|INSERT INTO|DELETE FROM)\s+processing_request\b")
    found = {path.parent.name for path in (ROOT / "queue").rglob("*.py") if statement.search(path.read_text())}
    assert found == {"lifecycle"}
