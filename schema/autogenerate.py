"""How the tables in the code are compared with those in a database."""

from typing import Any

from sqlalchemy import JSON, Column

from schema.tables import audit, auth, metrics, operations, schedules  # noqa: F401 - their tables are part of the metadata
from schema.tables.requests import metadata

__all__ = ["OPTIONS", "STRICT", "metadata"]


def _default_differs(
    _: Any, __: Any, column: Column[Any], found: str | None, ___: Any, wanted: str | None
) -> bool | None:
    """PostgreSQL compares no two values of type json; None leaves every other type to Alembic."""
    if not isinstance(column.type, JSON):
        return None
    return _without_cast(found) != _without_cast(wanted)


def _without_cast(default: str | None) -> str | None:
    """`'[]'::json`, as the database tells it, and `'[]'`, as the code does, are the same."""
    return None if default is None else default.removesuffix("::json").strip("'")


def _include_object(_: Any, __: str | None, ___: str, reflected: bool, compare_to: Any) -> bool:
    """What a database has and the code does not know is somebody else's: no migration that we write may drop it.

    A table beside ours, a column or an index that was added by hand. What the code gives up is dropped by a migration
    that a person writes.
    """
    return not (reflected and compare_to is None)


STRICT: dict[str, Any] = {"compare_type": True, "compare_server_default": _default_differs}
OPTIONS: dict[str, Any] = {**STRICT, "include_object": _include_object}
