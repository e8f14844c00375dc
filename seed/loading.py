"""Load fixtures: validate all entries, then write them in one transaction together with a flag.

If a start is killed before the commit, nothing is written, and the next start loads the fixtures. Of several concurrent
starts one loads them, and the others find the flag.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, func, text
from sqlalchemy.dialects.postgresql import insert

from schema.advisory_locks import Lock, lock_for_transaction
from schema.tables.requests import setup_flag
from seed.errors import BadEntryError, FixtureError
from seed.fixtures import Entry

FLAG = "fixtures"


class FixtureKind(Protocol):
    """One kind of fixture. key: the field that identifies an entry."""

    key: str

    def validate(self, fields: Mapping[str, Any]) -> Any:
        """Return the value for `write`; None to skip an entry that does not apply here. Raises BadEntryError."""

    def write(self, connection: Connection, validated: Any) -> bool:
        """Insert the entry and return True; return False if it exists, and leave the existing row unchanged."""


@dataclass(frozen=True)
class LoadResult:
    """Count what `load` did.

    created: new entries, by kind. existing: entries that existed before. skipped: places of entries that do not apply.
    """

    created: Counter[str]
    existing: int
    skipped: tuple[str, ...]


def are_loaded(engine: Engine) -> bool:
    """Return True if fixtures have been loaded into this database."""
    with engine.connect() as connection:
        return _are_loaded(connection)


def load(
    engine: Engine, entries: Sequence[Entry], kinds: Mapping[str, FixtureKind], *, once: bool
) -> LoadResult | None:
    """Load the entries, all or none. Raises FixtureError.

    once: load nothing and return None if fixtures have been loaded before.
    """
    validated_entries, skipped_places = _validate_all(entries, kinds)
    created, existing = Counter[str](), 0
    with engine.begin() as connection:
        lock_for_transaction(connection, Lock.SEED)
        if once and _are_loaded(connection):
            return None
        for kind, value in validated_entries:
            written = kinds[kind].write(connection, value)
            created[kind] += written
            existing += not written
        set_flag(connection, FLAG)
    return LoadResult(+created, existing, tuple(skipped_places))


def set_flag(connection: Connection, name: str) -> bool:
    """Record that a step of the setup is complete. Return False if the flag was set before."""
    values = {"name": name, "setup_complete": True, "created_at": func.clock_timestamp()}
    statement = insert(setup_flag).values(values).on_conflict_do_nothing().returning(setup_flag.c.name)
    return connection.execute(statement).first() is not None


def _are_loaded(connection: Connection) -> bool:
    statement = text("SELECT 1 FROM setup_flag WHERE name = :name AND setup_complete")
    return connection.execute(statement, {"name": FLAG}).first() is not None


def _validate_all(
    entries: Sequence[Entry], kinds: Mapping[str, FixtureKind]
) -> tuple[list[tuple[str, Any]], list[str]]:
    validated_entries: list[tuple[str, Any]] = []
    skipped_places: list[str] = []
    problems: list[str] = []
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        try:
            value = _validate_entry(entry, kinds, seen)
        except BadEntryError as error:
            problems.append(f"{entry.place}: {entry.kind}: {error}")
            continue
        if value is None:
            skipped_places.append(entry.place)
        else:
            validated_entries.append((entry.kind, value))
    if problems:
        raise FixtureError(problems)
    return validated_entries, skipped_places


def _validate_entry(entry: Entry, kinds: Mapping[str, FixtureKind], seen: set[tuple[str, str]]) -> Any:
    kind = kinds.get(entry.kind)
    if kind is None:
        raise BadEntryError(f"unknown kind; use one of {', '.join(kinds)}")
    key = entry.fields.get(kind.key)
    if not isinstance(key, str):
        raise BadEntryError(f"{kind.key}: use a string that identifies the entry")
    if (entry.kind, key) in seen:
        raise BadEntryError(f"{kind.key}: another entry has the same value {key!r}")
    seen.add((entry.kind, key))
    return kind.validate(entry.fields)
