"""Compare a database's schema revision with the code's, without importing Alembic, which costs nine megabytes."""

from pathlib import Path

from sqlalchemy import Engine, text

from schema.engine import autocommit

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def head_revision() -> str:
    """Return the newest revision of the code."""
    return max(_known_revisions())


def is_current(engine: Engine) -> bool:
    """Return True if the newest revision is applied."""
    return _read_applied(engine) == [head_revision()]


def is_applied(engine: Engine) -> bool:
    """Return True if the database has any revision; False before its first migration."""
    return bool(_read_applied(engine))


def find_unknown(engine: Engine) -> str | None:
    """Return the revision of a database that another version migrated; None if this code has the revision."""
    known = _known_revisions()
    return next((revision for revision in _read_applied(engine) if revision not in known), None)


def _known_revisions() -> set[str]:
    """Return the numbers at the start of the migrations' file names."""
    return {path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py")}


def _read_applied(engine: Engine) -> list[str]:
    with autocommit(engine) as connection:
        has_table = connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one()
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars() if has_table else ()
        return list(found)
