"""Compare a database's schema revision with the code's, without importing Alembic, which costs nine megabytes."""

from pathlib import Path

from sqlalchemy import Engine, text

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def head_revision() -> str:
    """Return the newest revision: the number at the start of a migration's file name."""
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def is_current(engine: Engine) -> bool:
    """Return True if the newest revision is applied."""
    with engine.connect() as connection:
        has_table = connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one()
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars() if has_table else ()
        return list(found) == [head_revision()]
