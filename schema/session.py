"""Makes database engines: how every part of the runtime connects to PostgreSQL."""

import json
import time
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

RESTED_S = 1.0
CONNECT_TIMEOUT_S = 5  # a server that is away is noticed, not waited for
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}


def make_engine(database_url: str, *, pool_size: int = 5, max_overflow: int = 10, **options: Any) -> Engine:
    """An engine with a pool that drops dead connections by itself.

    database_url: `postgresql+psycopg://…`. pool_size: connections kept; max_overflow: more for a while.
    """
    engine = create_engine(
        database_url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=CONNECT_TIMEOUT_S,
        json_serializer=to_json,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "localfn", **KEEPALIVES},
        **options,
    )
    event.listen(engine, "checkin", _note_return)
    event.listen(engine, "checkout", _check_rested)
    return engine


def _note_return(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["returned_at"] = time.monotonic()


def _check_rested(connection: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
    """Pings a connection that rested: a restarted server then costs a ping and not a failed request.

    SQLAlchemy's own pre-ping asks at every checkout, a fifth of what a short transaction takes.
    """
    if time.monotonic() - record.info.get("returned_at", time.monotonic()) < RESTED_S:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool drops it, and all that are as old, and takes a new one


def to_json(value: Any) -> str:
    """Strict, compact JSON, as it is stored."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
