"""Create database engines: every part of the runtime connects to PostgreSQL through one."""

import json
import time
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from schema import exact_json
from schema.connection_watchdog import MAX_STATEMENT_S, ServerMonitor

IDLE_BEFORE_PING_S = 1.0

# One day inside Python's range, so that conversion to any time zone stays in range.
MIN_TIME, MAX_TIME = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
POOL_TIMEOUT_S = 4
APPLICATION_NAME = "localfn"  # of a command
INDEX_SCANS_ONLY = (
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;"
    " SET enable_hashjoin = off; SET enable_mergejoin = off"
)
DEFAULT_TIME_LOADER: Any = psycopg.adapters.get_loader(psycopg.adapters.types["timestamptz"].oid, Format.TEXT)
CONNECT_ARGUMENTS = {
    "connect_timeout": 5,
    # A database with the encoding SQL_ASCII would return bytes instead of text.
    "client_encoding": "utf8",
    # Detect a broken TCP connection within a lease. connection_watchdog.py handles the other cases.
    "keepalives": 1,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}


def make_engine(
    database_url: str,
    *,
    pool_size: int = 5,
    max_overflow: int = 10,
    prefer_index_scans: bool = False,
    max_statement_s: float = MAX_STATEMENT_S,
    application_name: str = APPLICATION_NAME,
    **options: Any,
) -> Engine:
    """Return an engine whose pool drops dead connections.

    database_url: `postgresql+psycopg://…`. pool_size: connections kept; max_overflow: extra connections under load.
    prefer_index_scans: for callers that only read and write single rows by key. max_statement_s: a longer statement
    fails as by an outage. application_name: of its sessions in pg_stat_activity.
    """
    engine = create_engine(
        database_url,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,  # errors are logged, and events must not appear in logs
        json_serializer=to_json,
        json_deserializer=exact_json.read,
        connect_args=CONNECT_ARGUMENTS | {"application_name": application_name},
        **options,
    )
    server = ServerMonitor(max_statement_s)

    @event.listens_for(engine, "do_connect")
    def connect(_: object, __: object, arguments: list[Any], parameters: dict[str, Any]) -> DBAPIConnection:
        connection: Any = server.connect(*arguments, **parameters)
        return cast("DBAPIConnection", connection)

    event.listen(engine, "connect", register_time_loader)
    if prefer_index_scans:
        event.listen(engine, "connect", _prefer_index_scans)
    event.listen(engine, "checkin", _record_return)
    event.listen(engine, "checkout", _ping_if_idle)
    return engine


def preload(engine: Engine) -> None:
    """Run SQLAlchemy's queries for a first connection, then close it.

    Call this before a fork: the children find the engine ready, and no connection crosses the fork. If PostgreSQL is
    unavailable, each child runs the queries when it connects.
    """
    try:
        with engine.connect():
            pass
    except OperationalError:
        pass
    engine.dispose()


def autocommit(engine: Engine) -> Connection:
    """Return a connection that commits each statement by itself: one round trip instead of three."""
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


class _TimeLoader(Loader):
    """Read a time, clamped to Python's range.

    Users can write rows by SQL. A time such as `infinity` must not break every list and worker that reads its row.
    """

    def __init__(self, oid: int, context: Any = None) -> None:
        super().__init__(oid, context)
        self._exact = DEFAULT_TIME_LOADER(oid, context)

    def load(self, data: Any) -> Any:
        try:
            return self._exact.load(data)
        except psycopg.DataError:
            text = bytes(data)
            return MIN_TIME if text.startswith(b"-") or text.endswith(b"BC") else MAX_TIME


def register_time_loader(connection: Any, _: object = None) -> None:
    """Make a connection of psycopg read every time that PostgreSQL can store."""
    connection.adapters.register_loader("timestamptz", _TimeLoader)


def _prefer_index_scans(connection: DBAPIConnection, _: object) -> None:
    """Make PostgreSQL plan each statement once, and for large tables.

    A plan made while a table is small would be kept after it has grown. And on a large table PostgreSQL would plan anew
    for every execution, since it expects more rows from parameters than from values.
    """
    connection.autocommit = True  # a rollback would undo SET
    connection.execute(INDEX_SCANS_ONLY)
    connection.autocommit = False


def _record_return(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["returned_at"] = time.monotonic()


def _ping_if_idle(connection: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
    """Ping a connection that was idle, so that a restart of PostgreSQL does not fail a request.

    SQLAlchemy's pre-ping would ping at every checkout, which costs a fifth of a short transaction.
    """
    if time.monotonic() - record.info.get("returned_at", time.monotonic()) < IDLE_BEFORE_PING_S:
        return
    try:
        connection.autocommit = True  # one round trip instead of three
        connection.execute("SELECT 1")
        connection.autocommit = False
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool drops this and all older connections, and opens a new one


def to_json(value: Any) -> str:
    """Return strict, compact JSON for a json column."""
    return exact_json.write(value, ENCODER.encode)
