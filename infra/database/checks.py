"""Check the database at the start of a process: a pooler, the schema, and the limit of connections."""

import logging
from collections.abc import Mapping

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from infra.database.connection_limit import read_limit
from infra.database.pooler import shares_sessions
from infra.errors import TransactionPoolError
from infra.processes.connections import check_schema_of
from schema.engine import autocommit, make_engine
from workqueue.heartbeats.session_names import Process

log = logging.getLogger(__name__)

MAX_STATEMENT_S = 5.0  # a pooler without a free session keeps a statement waiting


def check_database(database_url: str, started: Mapping[Process, int], workers: int = 0) -> None:
    """Raise TransactionPoolError or NewerSchemaError; log a line if PostgreSQL allows too few connections.

    started: the processes that start now. workers: LOCALFN_WORKERS, if they are a worker pool.
    """
    engine = make_engine(database_url, pool_size=2, max_overflow=0, max_statement_s=MAX_STATEMENT_S)
    try:
        _check_pooler(engine)
        check_schema_of(engine)
        with autocommit(engine) as connection:
            limit = read_limit(connection)
    finally:
        engine.dispose()
    if limit.missing_with(started):
        fields = {"max_connections": limit.max_connections, "advice": limit.advice(started, workers)}
        log.warning("PostgreSQL allows too few connections", extra=fields)


def check_database_if_available(database_url: str, started: Mapping[Process, int], workers: int = 0) -> None:
    """Do the same for a process that also starts while PostgreSQL is unavailable."""
    try:
        check_database(database_url, started, workers)
    except OperationalError as error:
        log.warning("database not checked", extra={"error": str(error.orig).partition("\n")[0]})


def check_pooler(database_url: str) -> None:
    """Raise TransactionPoolError if a pooler does not keep sessions."""
    engine = make_engine(database_url, pool_size=2, max_overflow=0, max_statement_s=MAX_STATEMENT_S)
    try:
        _check_pooler(engine)
    finally:
        engine.dispose()


def _check_pooler(engine: Engine) -> None:
    if shares_sessions(engine):
        raise TransactionPoolError(
            "the pooler in front of PostgreSQL gives each transaction another session, and localfn needs sessions: "
            "set pool_mode of PgBouncer to session for this database, or connect to PostgreSQL directly."
        )
