"""Check for `localfn doctor` how PostgreSQL is reached: a pooler, connections, and standbys."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Engine

from infra.config import capacity
from infra.database.connection_limit import ConnectionLimit, read_limit
from infra.database.pooler import is_pooled, shares_sessions
from infra.database.replication import read_replication
from infra.doctor import CheckResult
from schema.engine import autocommit
from workqueue.heartbeats.session_names import Process


def access(engine: Engine, workers: int) -> Iterator[CheckResult]:
    """Check the way to PostgreSQL. engine: allows two connections. workers: LOCALFN_WORKERS of this machine."""
    if shares_sessions(engine):
        detail = "a pooler gives each transaction another session"
        yield CheckResult("pooler", False, detail, "set pool_mode of PgBouncer to session, or connect directly")
        return
    with autocommit(engine) as connection:
        if is_pooled(connection):
            needed = capacity.required_connections(workers)
            hint = f"its default_pool_size must be at least {needed}, and that of all other machines on top"
            yield CheckResult("pooler", True, "a pooler keeps sessions", hint)
        yield connections(read_limit(connection), workers)
        yield CheckResult("replication", *read_replication(connection).describe())


def connections(limit: ConnectionLimit, workers: int) -> CheckResult:
    """Check that the server allows the connections of all live processes, and of further ones of this machine."""
    further = _further(limit.here, workers)
    shown = ", ".join(f"{count} {process}" for process, count in (limit.processes or further).items())
    detail = (
        f"{limit.max_connections} allowed, {limit.reserved} of them reserved, {limit.others} in use by others; "
        f"localfn opens up to {limit.needed_with(further)} ({shown})"
    )
    if limit.missing_with(further):
        return CheckResult("connections", False, detail, limit.advice(further, workers))
    return CheckResult("connections", True, detail)


def _further(here: Mapping[Process, int], workers: int) -> dict[Process, int]:
    """Return the processes of this machine that have no session yet."""
    wanted = capacity.machine_processes(workers)
    return {process: count - here.get(process, 0) for process, count in wanted.items() if count > here.get(process, 0)}
