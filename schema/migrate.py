"""Migrate a database to the newest schema. Safe to run repeatedly and concurrently."""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import autogenerate, command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import OperationalError

from schema import revision
from schema.advisory_locks import Lock, lock_for_transaction
from schema.autogenerate import OPTIONS, metadata
from schema.engine import autocommit, make_engine

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent / "migrations"
MAX_ATTEMPTS = 20
LOCK_TIMEOUT_MS = 2000
PAUSE_S = 0.5

Answer = TypeVar("Answer")


class SchemaDiffersError(Exception):
    """The migrations create other tables than the code defines; the message names the differences."""


def upgrade(database_url: str) -> str:
    """Apply all pending migrations, in one transaction, under an advisory lock. Return the revision of the database.

    Like the other functions here, it does not change a database that a newer version has migrated.
    """

    def run(connection: Connection) -> str:
        _upgrade(connection)
        return revision.newer_of(connection) or revision.head_revision()

    return _migrate(database_url, run)


def upgrade_strictly(database_url: str) -> None:
    """Apply all pending migrations; roll back if the schema then differs from the code. Raises SchemaDiffersError."""

    def run(connection: Connection) -> None:
        if _upgrade(connection) and (remaining := differences(connection)):
            raise SchemaDiffersError("; ".join(remaining))

    _migrate(database_url, run)


def upgrade_and_generate(database_url: str) -> Path | None:
    """Apply all pending migrations. If the tables in the code have changed, write and apply one more; return its file.

    For developers of localfn: the next start has the edited tables, and the file is ready for review.
    Raises SchemaDiffersError for a difference that Alembic cannot express; then nothing is changed.
    """

    def run(connection: Connection) -> Path | None:
        return _generate_and_apply(connection) if _upgrade(connection) and differences(connection) else None

    return _migrate(database_url, run)


def write_revision(database_url: str, message: str) -> Path | None:
    """Write a migration for the differences without applying it. Return its file; None if nothing differs.

    Raises SchemaDiffersError if a newer version has migrated the database.
    """
    with _migration_lock(database_url) as connection, _versions_lock():
        if newer := revision.newer_of(connection):
            raise SchemaDiffersError(f"the database has revision {newer}, of a newer version")
        return _write_migration(connection, message) if differences(connection) else None


def check(database_url: str) -> list[str]:
    """Describe how this database differs from the code, without changing it."""
    engine = make_engine(database_url, pool_size=1, max_statement_s=float("inf"))
    try:
        if newer := revision.find_newer(engine):
            return [f"revision {newer} is of a newer version"]
        if not revision.is_current(engine):
            return [f"revision {revision.head_revision()} is not applied"]
        with engine.connect() as connection:
            return differences(connection)
    finally:
        engine.dispose()


def vacuum(database_url: str) -> None:
    """Vacuum and analyze a new cluster of its own, in a fifth of a second.

    Otherwise autovacuum does it a minute later, table by table, and writes ten times as much WAL.
    """
    url = make_url(database_url)
    for each in (url, url.set(database="template1")):
        engine = make_engine(each.render_as_string(hide_password=False), pool_size=1, max_statement_s=float("inf"))
        try:
            with autocommit(engine) as connection:
                connection.execute(text("VACUUM (ANALYZE)"))
                # The tables that were analyzed last have changed pg_statistic since. Report these changes before its
                # vacuum: reported later, they would start autovacuum again.
                connection.execute(text("SELECT pg_stat_force_next_flush()"))
                connection.execute(text("VACUUM pg_catalog.pg_statistic"))
        finally:
            engine.dispose()


def differences(connection: Connection, options: dict[str, Any] = OPTIONS) -> list[str]:
    """Describe how the tables in the code differ from those in the database. options: from schema.autogenerate."""
    context = MigrationContext.configure(connection, opts=options)
    return [_describe_difference(difference) for difference in autogenerate.compare_metadata(context, metadata)]


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration; an ini file would have to contain the database URL."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _migrate(database_url: str, run: Callable[[Connection], Answer]) -> Answer:
    """Migrate in one transaction, and again after a conflict with processes that use the tables meanwhile.

    A migration locks its tables one after another, so it can meet a transaction that locked them in another order. And
    while it waits for a lock, all others wait behind it: so it soon gives up, and lets them pass.
    """
    attempt = 1
    while True:
        try:
            with _migration_lock(database_url) as connection:
                connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
                return run(connection)
        except OperationalError as error:
            if not isinstance(error.orig, DeadlockDetected | LockNotAvailable) or attempt == MAX_ATTEMPTS:
                raise
            log.warning("migration repeated", extra={"error": str(error.orig).partition("\n")[0]})
        time.sleep(PAUSE_S)
        attempt += 1


@contextmanager
def _migration_lock(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url, pool_size=1, max_statement_s=float("inf"))
    try:
        with engine.begin() as connection:
            lock_for_transaction(connection, Lock.MIGRATE)
            yield connection
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> bool:
    """Apply all pending migrations. Return False if a newer version has migrated the database."""
    if newer := revision.newer_of(connection):
        log.warning("database not migrated: a newer version has done it", extra={"revision": newer})
        return False
    command.upgrade(alembic_config(connection), "head")
    return True


def _generate_and_apply(connection: Connection) -> Path | None:
    with _versions_lock():
        # Another runtime on the same code, with its own database, may have written the migration meanwhile.
        command.upgrade(alembic_config(connection), "head")
        if not differences(connection):
            return None
        written = _write_migration(connection, "models")
        command.upgrade(alembic_config(connection), "head")
        if remaining := differences(connection):
            written.unlink()  # otherwise every start would write another file
            raise SchemaDiffersError("; ".join(remaining))
    return written


@contextmanager
def _versions_lock() -> Iterator[None]:
    """Lock the folder of migrations: a runtime with another database does not see this database's advisory lock."""
    descriptor = os.open(revision.VERSIONS, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_migration(connection: Connection, message: str) -> Path:
    number = f"{int(revision.head_revision()) + 1:04d}"
    script = command.revision(alembic_config(connection), message, autogenerate=True, rev_id=number)
    assert script is not None
    assert not isinstance(script, list)
    return Path(script.path)


def _describe_difference(difference: Any) -> str:
    """Describe one of Alembic's differences: a tuple, or a list of tuples for several changes of one column."""
    first = difference[0] if isinstance(difference, list) else difference
    names = [str(getattr(part, "name", part)) for part in first[1:] if isinstance(part, str) or hasattr(part, "name")]
    return f"{first[0].replace('_', ' ')} {'.'.join(names)}"
