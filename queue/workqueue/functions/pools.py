"""Worker pools with different code: each publishes its functions, and the registry is the union of them.

The functions of a pool that restarts stay in the union. A pool is gone once it has been silent for `unknown_s` while
another pool was live all that time: a machine that boots, or an outage of PostgreSQL, makes no pool gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, text, update

from schema.advisory_locks import Lock, lock_for_transaction
from schema.engine import autocommit, to_json
from schema.tables.operations import function_pool, pool_heartbeat
from schema.tables.requests import discovered_unit, import_failure, registered_function, skipped_file
from workqueue.functions.registry import CHANNEL, Registry, from_json

BEAT_S = 2.0
LIVE_WITHIN_S = 6.0  # three heartbeats missed
FORGET_AFTER = timedelta(days=1)  # pools that are gone, and names of removed functions


@dataclass(frozen=True, slots=True)
class PoolState:
    """Hold when a pool was seen. live_since: None before its first heartbeat."""

    name: str
    is_gone: bool
    seen_at: datetime
    live_since: datetime | None


def has_witness(pools: Sequence[PoolState], now: datetime, unknown_s: float) -> bool:
    """Return whether a pool has been live for `unknown_s`: only then can another one be called silent."""
    seen_after, live_before = now - timedelta(seconds=LIVE_WITHIN_S), now - timedelta(seconds=unknown_s)
    return any(
        pool.seen_at >= seen_after and pool.live_since is not None and pool.live_since <= live_before for pool in pools
    )


def find_gone(pools: Sequence[PoolState], now: datetime, unknown_s: float) -> list[PoolState]:
    """Return the pools whose functions no longer count."""
    if not has_witness(pools, now, unknown_s):
        return []
    seen_before = now - timedelta(seconds=max(unknown_s, LIVE_WITHIN_S))
    return [pool for pool in pools if not pool.is_gone and pool.seen_at < seen_before]


BEAT = text(
    """
    WITH beat AS (
        INSERT INTO pool_heartbeat AS before (pool, live_since, seen_at)
        SELECT :pool, now, now
        FROM (SELECT clock_timestamp() AS now) AS clock, set_config('synchronous_commit', 'off', true)
        ON CONFLICT (pool) DO UPDATE SET seen_at = excluded.seen_at, live_since = CASE
            WHEN before.seen_at BETWEEN excluded.seen_at - make_interval(secs => :gap_s) AND excluded.seen_at
            THEN before.live_since ELSE excluded.seen_at END
    )
    SELECT EXISTS (SELECT FROM function_pool WHERE name = :pool AND NOT is_gone)
    """
)


def beat(engine: Engine, pool: str) -> bool:
    """Store that the pool is live. Return False if its functions do not count: it must publish them."""
    with autocommit(engine) as connection:
        return bool(connection.execute(BEAT, {"pool": pool, "gap_s": LIVE_WITHIN_S}).scalar_one())


PUBLISH = text(
    """
    INSERT INTO function_pool (name, registry, published_at) VALUES (:pool, :registry, clock_timestamp())
    ON CONFLICT (name) DO UPDATE
    SET registry = excluded.registry, published_at = excluded.published_at, is_gone = false
    """
)


def publish(engine: Engine, pool: str, registry: Registry) -> None:
    """Store the functions of a pool's code, and renew the union, in one transaction."""
    with engine.begin() as connection:
        lock_for_transaction(connection, Lock.PUBLISH)
        connection.execute(PUBLISH, {"pool": pool, "registry": to_json(asdict(registry))})
        connection.execute(BEAT, {"pool": pool, "gap_s": LIVE_WITHIN_S})
        _store_union(connection, {})


SELECT_POOLS = text(
    """
    SELECT p.name, p.is_gone, coalesce(h.seen_at, p.published_at) AS seen_at, h.live_since, clock_timestamp() AS now
    FROM function_pool p LEFT JOIN pool_heartbeat h ON h.pool = p.name
    """
)


def remove_gone(engine: Engine, unknown_s: float) -> datetime | None:
    """Remove the functions of pools that are gone from the union.

    Return the time of the database if functions that are not in the union can be called unknown, else None.
    """
    with autocommit(engine) as connection:
        rows = connection.execute(SELECT_POOLS).all()
    if not rows:
        return None
    now, pools = rows[0].now, [PoolState(row.name, row.is_gone, row.seen_at, row.live_since) for row in rows]
    if gone := find_gone(pools, now, unknown_s):
        with engine.begin() as connection:
            lock_for_transaction(connection, Lock.PUBLISH)
            _mark_gone(connection, gone)
    if old := [pool.name for pool in pools if pool.is_gone and pool.seen_at < now - FORGET_AFTER]:
        with engine.begin() as connection:
            connection.execute(delete(function_pool).where(function_pool.c.name.in_(old), function_pool.c.is_gone))
            connection.execute(delete(pool_heartbeat).where(pool_heartbeat.c.pool.in_(old)))
    return now if has_witness(pools, now, unknown_s) else None


def _mark_gone(connection: Connection, gone: Sequence[PoolState]) -> None:
    seen_at = {pool.name: pool.seen_at for pool in gone}
    statement = update(function_pool).where(function_pool.c.name.in_(seen_at)).values(is_gone=True)
    last_seen: dict[str, datetime] = {}
    for name, stored in connection.execute(statement.returning(function_pool.c.name, function_pool.c.registry)):
        for function in from_json(stored).functions:
            last_seen[function.name] = max(seen_at[name], last_seen.get(function.name, seen_at[name]))
    _store_union(connection, last_seen)


RECORD_REMOVED = text(
    """
    INSERT INTO removed_function (name, removed_at)
    SELECT name, coalesce(removed_at, clock_timestamp())
    FROM json_to_recordset(CAST(:removed AS json)) AS d (name text, removed_at timestamptz)
    ON CONFLICT (name) DO UPDATE SET removed_at = excluded.removed_at
    """
)
FORGET_REMOVED = text(
    """
    DELETE FROM removed_function
    WHERE removed_at < clock_timestamp() - CAST(:after AS interval)
       OR EXISTS (SELECT FROM registered_function f WHERE f.name = removed_function.name)
    """
)
NOTIFY = text("SELECT pg_notify(:channel, '')")  # listeners receive it when the transaction commits


def _store_union(connection: Connection, last_seen: Mapping[str, datetime]) -> None:
    """Replace the union by that of the pools that count. last_seen: of functions of pools that are gone."""
    statement = select(function_pool.c.registry).where(~function_pool.c.is_gone).order_by(function_pool.c.published_at)
    union = merge([from_json(stored) for stored in connection.execute(statement).scalars()])
    before = connection.execute(select(registered_function.c.name)).scalars().all()
    for table, rows in (
        (registered_function, union.functions),
        (import_failure, union.failures),
        (discovered_unit, union.units),
        (skipped_file, union.skipped),
    ):
        connection.execute(delete(table))
        if rows:
            connection.execute(insert(table), [asdict(row) for row in rows])
    removed = [_removal(name, last_seen) for name in set(before) - {function.name for function in union.functions}]
    if removed:
        connection.execute(RECORD_REMOVED, {"removed": to_json(removed)})
    connection.execute(FORGET_REMOVED, {"after": FORGET_AFTER})
    connection.execute(NOTIFY, {"channel": CHANNEL})


def _removal(name: str, last_seen: Mapping[str, datetime]) -> dict[str, Any]:
    return {"name": name, "removed_at": last_seen[name].isoformat() if name in last_seen else None}


def merge(registries: Sequence[Registry]) -> Registry:
    """Return the union of registries. Of two functions with one name, that of the later registry counts."""
    return Registry(
        functions=tuple({each.name: each for found in registries for each in found.functions}.values()),
        failures=tuple({each.unit: each for found in registries for each in found.failures}.values()),
        units=tuple({each.unit: each for found in registries for each in found.units}.values()),
        skipped=tuple({each.source_file: each for found in registries for each in found.skipped}.values()),
    )
