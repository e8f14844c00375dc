"""Locks of our own in PostgreSQL that belong to no row. All stand here: two of one number would wait for each other."""

from enum import IntEnum, unique

from sqlalchemy import Connection, text


@unique
class Lock(IntEnum):
    """What is done by one process at a time, on however many machines. The numbers spell "loc" and a letter."""

    MIGRATE = 0x6C6F6366
    SEED = 0x6C6F6365
    PUBLISH = 0x6C6F6372
    DECLARE = 0x6C6F6373
    # Held as long as a process leads (workqueue/upkeep/leading.py).
    RECONCILER = 0x6C6F636C
    SCHEDULE_TICKER = 0x6C6F6374
    MINUTE_ROLLUP = 0x6C6F6362
    CLEANUP = 0x6C6F6364


def lock_for_transaction(connection: Connection, lock: Lock) -> None:
    """Until the end of the transaction; waits for whoever has it."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": int(lock)})


def try_lock_for_session(connection: Connection, lock: Lock) -> bool:
    """For the session, as long as it lasts, unless somebody has it."""
    return bool(connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": int(lock)}).scalar_one())
