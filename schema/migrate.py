"""Brings a database to the newest schema. Safe to run many times, also at once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import autogenerate, command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from schema import revision
from schema.advisory_locks import Lock, lock_for_transaction
from schema.autogenerate import OPTIONS, metadata
from schema.engine import make_engine

FOLDER = Path(__file__).parent / "migrations"


class SchemaDiffersError(Exception):
    """The tables in the code are not those that the migrations make; the message names the differences."""


def upgrade(database_url: str) -> None:
    """Applies every migration that is missing, in one transaction, under an advisory lock."""
    with _migration_lock(database_url) as connection:
        command.upgrade(alembic_config(connection), "head")


def upgrade_strictly(database_url: str) -> None:
    """As `upgrade`, but refuses a schema that is not the code's. Raises SchemaDiffersError: nothing is changed then."""
    with _migration_lock(database_url) as connection:
        command.upgrade(alembic_config(connection), "head")
        if found := differences(connection):
            raise SchemaDiffersError("; ".join(found))


def upgrade_and_generate(database_url: str) -> Path | None:
    """As `upgrade`; where the tables in the code have changed, a migration is written first. Gives its file.

    For who works on localfn: the next start has what was just edited, and the file is there to be read and committed.
    Raises SchemaDiffersError for a difference that Alembic cannot write down: nothing is changed then.
    """
    with _migration_lock(database_url) as connection:
        command.upgrade(alembic_config(connection), "head")
        return _generate_and_apply(connection) if differences(connection) else None


def write_revision(database_url: str, message: str) -> Path | None:
    """Writes a migration for what differs, and applies nothing. Gives its file; None when nothing differs."""
    with _migration_lock(database_url) as connection, _versions_lock():
        return _write_migration(connection, message) if differences(connection) else None


def check(database_url: str) -> list[str]:
    """What keeps this database from being the code's: in words; nothing is changed."""
    engine = make_engine(database_url, pool_size=1, max_statement_s=float("inf"))
    try:
        if not revision.is_current(engine):
            return [f"revision {revision.head_revision()} is not applied"]
        with engine.connect() as connection:
            return differences(connection)
    finally:
        engine.dispose()


def differences(connection: Connection, options: dict[str, Any] = OPTIONS) -> list[str]:
    """What the tables in the code have otherwise than those in the database. options: of schema.autogenerate."""
    context = MigrationContext.configure(connection, opts=options)
    return [_describe_difference(found) for found in autogenerate.compare_metadata(context, metadata)]


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration, made here so that no ini file with a URL in it is needed."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    made.attributes["connection"] = connection
    return made


@contextmanager
def _migration_lock(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url, pool_size=1, max_statement_s=float("inf"))
    try:
        with engine.begin() as connection:
            lock_for_transaction(connection, Lock.MIGRATE)
            yield connection
    finally:
        engine.dispose()


def _generate_and_apply(connection: Connection) -> Path | None:
    with _versions_lock():
        # Another runtime on the same code, with a database of its own, may have written it while we waited.
        command.upgrade(alembic_config(connection), "head")
        if not differences(connection):
            return None
        written = _write_migration(connection, "models")
        command.upgrade(alembic_config(connection), "head")
        if left := differences(connection):
            written.unlink()  # or every start would write one more
            raise SchemaDiffersError("; ".join(left))
    return written


@contextmanager
def _versions_lock() -> Iterator[None]:
    """The lock in the database does not help against a runtime that has another database."""
    descriptor = os.open(revision.VERSIONS, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_migration(connection: Connection, message: str) -> Path:
    number = f"{int(revision.head_revision()) + 1:04d}"
    made = command.revision(alembic_config(connection), message, autogenerate=True, rev_id=number)
    assert made is not None
    assert not isinstance(made, list)
    return Path(made.path)


def _describe_difference(found: Any) -> str:
    """Alembic tells a change as a tuple, several of one column as a list of them."""
    first = found[0] if isinstance(found, list) else found
    named = [str(getattr(part, "name", part)) for part in first[1:] if isinstance(part, str) or hasattr(part, "name")]
    return f"{first[0].replace('_', ' ')} {'.'.join(named)}"
