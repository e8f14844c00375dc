"""PostgreSQL advisory locks, all in one place: two locks with the same number would block each other."""

from enum import IntEnum, unique

from sqlalchemy import Connection, text


@unique
class Lock(IntEnum):
    """Name the tasks that one process does at a time, across all machines. The numbers spell "loc" and a letter."""

    MIGRATE = 0x6C6F6366
    SEED = 0x6C6F6365
    PUBLISH = 0x6C6F6372
    DECLARE = 0x6C6F6373
    # A leader holds these for as long as it leads (workqueue/maintenance/leader.py).
    RECONCILER = 0x6C6F636C
    SCHEDULE_TICKER = 0x6C6F6374
    MINUTE_ROLLUP = 0x6C6F6362
    CLEANUP = 0x6C6F6364


def lock_for_transaction(connection: Connection, lock: Lock) -> None:
    """Acquire the lock until the transaction ends. Wait while another process holds it."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": int(lock)})


def try_lock_for_session(connection: Connection, lock: Lock) -> bool:
    """Acquire the lock until the session ends. Return False if another session holds it."""
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": int(lock)}).scalar_one())


def unlock_for_session(connection: Connection, lock: Lock) -> None:
    """Release a lock that this session holds."""
    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": int(lock)})
