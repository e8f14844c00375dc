"""Check that one package writes the state of requests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDERS = ("handlers", "infra", "queue", "schema", "seed")
LIFECYCLE = {"queue/workqueue/lifecycle"}
# The column anywhere in an UPDATE's SET, before its WHERE; or a value of it in an insert or update of SQLAlchemy's.
ASSIGNS = re.compile(
    r"\bSET\b(?:(?!\bWHERE\b|\"\"\").)*?[\s,]status\s*=|\"status\":\s*Status\.|\.values\([^)]*\bstatus\s*=", re.DOTALL
)
WRITES = re.compile(r"(UPDATE|INSERT INTO|DELETE FROM|MERGE INTO|TRUNCATE)\s+(ONLY\s+)?processing_request\b")


def find_writers(pattern: re.Pattern[str]) -> set[str]:
    """Return the folders of files with such a statement, except migrations."""
    files = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts)
    return {str(path.parent.relative_to(ROOT)) for path in files if pattern.search(path.read_text())}


def test_only_the_lifecycle_assigns_a_status() -> None:
    assert find_writers(ASSIGNS) == LIFECYCLE


def test_only_the_lifecycle_writes_the_table() -> None:
    assert find_writers(WRITES) == LIFECYCLE


def test_a_second_writer_would_be_found() -> None:
    for statement in ("UPDATE processing_request SET phase = NULL,\n status = 'x' WHERE id = :id", "SET status = 'x'"):
        assert ASSIGNS.search(statement)
    assert not ASSIGNS.search("UPDATE processing_request SET rung_at = now() WHERE status = 'pending'")
