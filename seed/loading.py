"""Loads fixtures: everything is checked first, then written in one transaction together with the flag that says so.

A start that is killed in the middle has written nothing, and the next one loads them; of ten starts at once one does,
and the others find the flag.
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
    """One kind of fixture. key: the field by which an entry is known again."""

    key: str

    def validate(self, fields: Mapping[str, Any]) -> Any:
        """What `write` is given; None for an entry that has no use here. Raises BadEntryError."""

    def write(self, connection: Connection, validated: Any) -> bool:
        """Whether it was made; what is there already stays as it is."""


@dataclass(frozen=True)
class LoadResult:
    """How many entries of each kind were made; how many were there; the places of those that have no use here."""

    made: Counter[str]
    found: int
    skipped: tuple[str, ...]


def are_loaded(engine: Engine) -> bool:
    """Whether fixtures were loaded once."""
    with engine.connect() as connection:
        return _are_loaded(connection)


def load(
    engine: Engine, entries: Sequence[Entry], kinds: Mapping[str, FixtureKind], *, once: bool
) -> LoadResult | None:
    """Loads the entries. Raises FixtureError: nothing is loaded then.

    once: not if any were loaded before; None then.
    """
    ready, left_out = _validate_all(entries, kinds)
    made, found = Counter[str](), 0
    with engine.begin() as connection:
        lock_for_transaction(connection, Lock.SEED)
        if once and _are_loaded(connection):
            return None
        for kind, value in ready:
            written = kinds[kind].write(connection, value)
            made[kind] += written
            found += not written
        set_flag(connection, FLAG)
    return LoadResult(+made, found, tuple(left_out))


def set_flag(connection: Connection, name: str) -> bool:
    """Notes that something was set up. Whether it had not been before."""
    values = {"name": name, "setup_complete": True, "created_at": func.clock_timestamp()}
    statement = insert(setup_flag).values(values).on_conflict_do_nothing().returning(setup_flag.c.name)
    return connection.execute(statement).first() is not None


def _are_loaded(connection: Connection) -> bool:
    statement = text("SELECT 1 FROM setup_flag WHERE name = :name AND setup_complete")
    return connection.execute(statement, {"name": FLAG}).first() is not None


def _validate_all(
    entries: Sequence[Entry], kinds: Mapping[str, FixtureKind]
) -> tuple[list[tuple[str, Any]], list[str]]:
    ready, left_out, problems, seen = list[tuple[str, Any]](), list[str](), list[str](), set[tuple[str, str]]()
    for entry in entries:
        try:
            value = _validate_entry(entry, kinds, seen)
        except BadEntryError as error:
            problems.append(f"{entry.place}: {entry.kind}: {error}")
            continue
        if value is None:
            left_out.append(entry.place)
        else:
            ready.append((entry.kind, value))
    if problems:
        raise FixtureError(problems)
    return ready, left_out


def _validate_entry(entry: Entry, kinds: Mapping[str, FixtureKind], seen: set[tuple[str, str]]) -> Any:
    kind = kinds.get(entry.kind)
    if kind is None:
        raise BadEntryError(f"there is no such kind; those are {', '.join(kinds)}")
    key = entry.fields.get(kind.key)
    if not isinstance(key, str):
        raise BadEntryError(f"{kind.key}: a text is needed, by which the entry is known again")
    if (entry.kind, key) in seen:
        raise BadEntryError(f"{kind.key}: there is another entry with {key!r}")
    seen.add((entry.kind, key))
    return kind.validate(entry.fields)
