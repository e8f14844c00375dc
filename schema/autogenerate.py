"""Options for Alembic's comparison of the tables in the code with those in a database."""

from typing import Any

from sqlalchemy import JSON, Column

from schema.tables import audit, auth, operations, schedules  # noqa: F401 - their tables are part of the metadata
from schema.tables.requests import metadata

__all__ = ["OPTIONS", "STRICT", "metadata"]


def _default_differs(
    _: Any, __: Any, column: Column[Any], database_default: str | None, ___: Any, code_default: str | None
) -> bool | None:
    """Compare json defaults as text, because PostgreSQL cannot compare json. Return None to let Alembic compare."""
    if not isinstance(column.type, JSON):
        return None
    return _without_cast(database_default) != _without_cast(code_default)


def _without_cast(default: str | None) -> str | None:
    """Return the default as the code writes it: PostgreSQL reports `'[]'` as `'[]'::json`."""
    return None if default is None else default.removesuffix("::json").strip("'")


def _include_object(_: Any, __: str | None, ___: str, reflected: bool, compare_to: Any) -> bool:
    """Return False for tables, columns and indexes that only the database has, so that no migration drops them.

    An operator may have added them by hand. To drop something that the code no longer needs, write the migration by
    hand.
    """
    return not (reflected and compare_to is None)


STRICT: dict[str, Any] = {"compare_type": True, "compare_server_default": _default_differs}
OPTIONS: dict[str, Any] = {**STRICT, "include_object": _include_object}
