"""The functions that a worker can run, read again when PostgreSQL announces a change."""

from collections.abc import Iterable
from dataclasses import fields

from sqlalchemy import text

from schema.async_database import AsyncDatabase
from schema.steps import Steps
from workqueue.functions.registry import CHANNEL, FunctionSpec, from_json

COLUMNS = ", ".join(each.name for each in fields(FunctionSpec))
SELECT_OF_POOL = text("SELECT registry FROM function_pool WHERE name = :pool")
# Of all pools: this one has published nothing yet.
SELECT_ALL = text(f"SELECT {COLUMNS} FROM registered_function")  # noqa: S608 - composed of constants


class FunctionReader:
    """Read the functions of a worker's pool by a connection that it uses for its claims.

    PostgreSQL delivers an announcement before the answer to a statement that follows it, so the functions are at least
    as new as the claim.
    """

    def __init__(self, database: AsyncDatabase, pool: str) -> None:
        self._database, self._pool = database, pool
        self._functions: dict[str, FunctionSpec] = {}
        self._lacking: set[str] = set()
        self._is_current = False
        database.listen(CHANNEL, self._forget)

    async def read(self) -> dict[str, FunctionSpec]:
        """Return the functions by name. Raises psycopg.Error."""
        if not self._is_current:
            self._is_current = True  # a change that comes meanwhile sets it back
            try:
                found = await self._database.run(_read_steps(self._pool))
            except BaseException:
                self._is_current = False
                raise
            # Functions that did not change stay the same objects.
            self._functions = {each.name: self._known(each) for each in found}
            self._lacking -= self._functions.keys()
        return self._functions

    def _known(self, function: FunctionSpec) -> FunctionSpec:
        before = self._functions.get(function.name)
        return before if before is not None and before == function else function

    def lacking(self) -> frozenset[str]:
        """Return the functions that requests were for, and that this worker does not have."""
        return frozenset(self._lacking)

    def note_lacking(self, names: Iterable[str]) -> None:
        """Remember functions that this worker does not have."""
        self._lacking.update(names)

    def _forget(self) -> None:
        self._is_current = False


def _read_steps(pool: str) -> Steps[list[FunctionSpec]]:
    for row in (yield SELECT_OF_POOL, {"pool": pool}):
        return list(from_json(row.registry).functions)
    return [FunctionSpec(**row._asdict()) for row in (yield SELECT_ALL, {})]
