"""Whether a database has the schema that this code expects; without Alembic, whose import costs nine megabytes."""

from pathlib import Path

from sqlalchemy import Engine, text

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def head_revision() -> str:
    """The newest revision; revisions are numbers that begin the names of their files."""
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def is_current(engine: Engine) -> bool:
    """Whether exactly the newest revision is applied."""
    with engine.connect() as connection:
        has_table = connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one()
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars() if has_table else ()
        return list(found) == [head_revision()]
