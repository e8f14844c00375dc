"""Find out whether a pooler such as PgBouncer gives the transactions of one connection to several sessions.

localfn needs sessions: it listens for notifications, leads by advisory locks of a session, prepares statements, and
sets planner settings. A pooler in transaction mode breaks the first two without any error.
"""

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from schema.engine import autocommit

NO_TRANSACTIONS = "transaction blocks not allowed"  # by PgBouncer with pool_mode = statement
ROUNDS = 10  # other clients of a busy pooler may hide the change of session in one round


def shares_sessions(engine: Engine) -> bool:
    """Return whether two connections meet in one session, or one connection in two. engine: allows two connections."""
    try:
        with autocommit(engine) as first:
            if not is_pooled(first):
                return False
            with autocommit(engine) as second:
                return _meet(first, second)
    except DBAPIError as error:
        if NO_TRANSACTIONS in str(error.orig):
            return True
        raise


def is_pooled(connection: Connection) -> bool:
    """Return whether a pooler answers: the number that it gave this connection is not that of PostgreSQL's process."""
    return _driver(connection).info.backend_pid != _backend(connection)


def _meet(first: Connection, second: Connection) -> bool:
    """Compare the sessions, in an order that reveals both a pooler's stack of sessions and its round robin."""
    of_first, of_second = set(), set()
    for _ in range(ROUNDS):
        of_first |= {_backend(first), _backend(first)}
        of_second.add(_backend(second))
    return len(of_first) > 1 or len(of_second) > 1 or bool(of_first & of_second)


def _backend(connection: Connection) -> int:
    # Not prepared: in another session PostgreSQL does not know the statement.
    row = _driver(connection).execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    assert row is not None
    return int(row[0])


def _driver(connection: Connection) -> psycopg.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver
