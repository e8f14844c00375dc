"""The registry of functions: discovery stores it in PostgreSQL, so all processes on all machines share it.

Each pool publishes the functions of its own code (pools.py); the registry is their union.
"""

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select

from schema.engine import autocommit
from schema.tables.operations import function_pool
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


def pool_name(sources: Sequence[str]) -> str:
    """Return the name of the worker pool of this machine that has these sources: stable over its restarts.

    sources: LOCALFN_FUNCTIONS, the folders and modules with functions.
    """
    return f"{socket.gethostname()}:{':'.join(str(_absolute(source)) for source in sources)}"


def _absolute(source: str) -> str | Path:
    path = Path(source).absolute()
    return path if path.is_dir() or os.sep in source else source


def read_pool_registry(engine: Engine, pool: str) -> Registry | None:
    """Return what the pool has published; None if it has published nothing."""
    with autocommit(engine) as connection:
        statement = select(function_pool.c.registry).where(function_pool.c.name == pool)
        stored = connection.execute(statement).scalar_one_or_none()
    return None if stored is None else from_json(stored)


def read_pool_functions(engine: Engine, pool: str) -> dict[str, FunctionSpec]:
    """Return the functions of the pool's own code, by name. Each has the path from which this pool imports it."""
    found = read_pool_registry(engine, pool)
    return {function.name: function for function in found.functions} if found is not None else {}


def from_json(stored: Mapping[str, Any]) -> Registry:
    """Return the registry whose `asdict` was stored as JSON, perhaps by a newer version with further fields."""
    kinds: dict[str, type[Any]] = {
        "functions": FunctionSpec,
        "failures": ImportFailure,
        "units": DiscoveredUnit,
        "skipped": SkippedFile,
    }
    parts = {part: tuple(from_fields(kind, fields) for fields in stored.get(part, ())) for part, kind in kinds.items()}
    return Registry(**parts)


def from_fields(kind: type[Any], stored: Mapping[str, Any]) -> Any:
    """Return the object of a stored row; a newer version may have added columns."""
    return kind(**{each.name: stored[each.name] for each in fields(kind) if each.name in stored})
