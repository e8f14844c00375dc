"""Compare a database's schema revision with the code's, without importing Alembic, which costs nine megabytes."""

from pathlib import Path

from sqlalchemy import Connection, Engine, text

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


def find_newer(engine: Engine) -> str | None:
    """Return the revision of a database that a newer version migrated; None if this code has the revision."""
    with autocommit(engine) as connection:
        return newer_of(connection)


def newer_of(connection: Connection) -> str | None:
    """Do the same on a connection, in its transaction."""
    known = _known_revisions()
    return next((revision for revision in _applied(connection) if revision not in known), None)


def find_too_new(engine: Engine) -> str | None:
    """Return the revision of a database that a newer version migrated so that this code cannot use it, else None.

    Each migration that takes away what an older version needs says so in schema_support.
    """
    newer = find_newer(engine)
    if newer is None:
        return None
    with autocommit(engine) as connection:
        has_table = connection.execute(text("SELECT to_regclass('schema_support')")).scalar_one()
        oldest = connection.execute(text("SELECT oldest_revision FROM schema_support")).scalar() if has_table else None
    return newer if oldest is None or head_revision() < oldest else None


def is_usable(engine: Engine) -> bool:
    """Return True if this code can use the database: it has the newest revision, or a newer one that works."""
    return is_current(engine) or (find_newer(engine) is not None and find_too_new(engine) is None)


def _known_revisions() -> set[str]:
    """Return the numbers at the start of the migrations' file names."""
    return {path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py")}


def _read_applied(engine: Engine) -> list[str]:
    with autocommit(engine) as connection:
        return _applied(connection)


def _applied(connection: Connection) -> list[str]:
    has_table = connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one()
    return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars() if has_table else ())
