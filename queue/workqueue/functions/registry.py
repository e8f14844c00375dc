"""The registry of functions: discovery stores it in PostgreSQL, so all processes on all machines share it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, text

from schema.advisory_locks import Lock, lock_for_transaction
from schema.engine import autocommit
from schema.tables.requests import discovered_unit, import_failure, registered_function, skipped_file
from workqueue.errors import UnknownFunctionError
from workqueue.functions.retry_policy import Policy
from workqueue.functions.skipped_files import SkippedFile

# Checked before each query, because PostgreSQL rejects some other strings, such as those with U+0000.
NAME_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A registered function: everything that the runtime needs to accept and run its requests."""

    name: str
    unit: str
    root: str | None
    module: str
    source_file: str
    source_line: int
    description: str
    queue: str
    timeout_s: float
    max_attempts: int
    memory_mb: int
    retry_delay_s: float
    retry_max_delay_s: float
    on_lost: str
    environment: dict[str, str]
    input_schema: dict[str, Any] | None
    schema_checked_outside: bool
    has_cleanup: bool
    schedule: dict[str, Any] | None = None
    network: bool = True

    @property
    def policy(self) -> Policy:
        return Policy(self.max_attempts, self.retry_delay_s, self.retry_max_delay_s, self.on_lost)


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """A module that failed to import, with the error."""

    unit: str
    source_file: str
    error_type: str
    error_message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class DiscoveredUnit:
    """A successfully imported unit, with its files at that time: [path, mtime in ns, size]."""

    unit: str
    python: str
    files: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Registry:
    """The result of discovery."""

    functions: tuple[FunctionSpec, ...] = ()
    failures: tuple[ImportFailure, ...] = ()
    units: tuple[DiscoveredUnit, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()


CHANNEL = "localfn_functions"  # PostgreSQL notifies it of each published registry
SELECT_BY_NAME = select(registered_function).where(registered_function.c.name == bindparam("name"))


def find(engine: Engine, name: str) -> FunctionSpec:
    """Return the function with this name. Raises UnknownFunctionError."""
    with autocommit(engine) as connection:
        return find_on(connection, name)


def find_on(connection: Connection, name: str) -> FunctionSpec:
    """Return the function with this name, by a connection that the caller holds: a second one could deadlock the pool.

    Raises UnknownFunctionError.
    """
    row = (
        connection.execute(SELECT_BY_NAME, {"name": name}).mappings().first() if NAME_PATTERN.fullmatch(name) else None
    )
    if row is None:
        raise UnknownFunctionError(f"There is no function named {name!r}.")
    return from_row(row)


def list_functions(engine: Engine) -> list[FunctionSpec]:
    """Return all functions."""
    with autocommit(engine) as connection:
        return [from_row(row) for row in connection.execute(select(registered_function)).mappings()]


def list_names(engine: Engine) -> frozenset[str]:
    """Return the names of all functions."""
    with engine.connect() as connection:
        return frozenset(connection.execute(select(registered_function.c.name)).scalars())


def from_row(row: Mapping[Any, Any]) -> FunctionSpec:
    """Return the function of a row of registered_function."""
    return FunctionSpec(**{column.name: row[column.name] for column in registered_function.c})


def read_registry(engine: Engine) -> Registry:
    """Return the stored registry."""
    with engine.connect() as connection:
        functions = connection.execute(select(registered_function).order_by(registered_function.c.name)).mappings()
        failures = connection.execute(select(import_failure).order_by(import_failure.c.unit)).mappings()
        units = connection.execute(select(discovered_unit).order_by(discovered_unit.c.unit)).mappings()
        skipped = connection.execute(select(skipped_file).order_by(skipped_file.c.source_file)).mappings()
        return Registry(
            tuple(from_row(row) for row in functions),
            tuple(ImportFailure(**dict(row)) for row in failures),
            tuple(DiscoveredUnit(**dict(row)) for row in units),
            tuple(SkippedFile(**dict(row)) for row in skipped),
        )


NOTIFY = text("SELECT pg_notify(:channel, '')")  # listeners receive it when the transaction commits


def publish(engine: Engine, registry: Registry) -> None:
    """Replace the stored registry in one transaction, so that no reader gets a partial change, and notify of it."""
    with engine.begin() as connection:
        lock_for_transaction(connection, Lock.PUBLISH)
        connection.execute(delete(registered_function))
        connection.execute(delete(import_failure))
        connection.execute(delete(discovered_unit))
        connection.execute(delete(skipped_file))
        _insert(connection, registered_function, registry.functions)
        _insert(connection, import_failure, registry.failures)
        _insert(connection, discovered_unit, registry.units)
        _insert(connection, skipped_file, registry.skipped)
        connection.execute(NOTIFY, {"channel": CHANNEL})


def _insert(connection: Connection, table: Any, rows: Sequence[Any]) -> None:
    if rows:
        connection.execute(insert(table), [asdict(row) for row in rows])
