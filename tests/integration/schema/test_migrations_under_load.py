"""Migrate a database that other processes use meanwhile."""

import logging
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command

from schema import migrate, revision
from schema.engine import make_engine
from tests.support.waiting import wait_until

BEFORE = "0015"  # the next migration rewrites the table `worker`


def test_a_migration_gives_way_to_transactions_and_is_repeated(
    empty_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(empty_database_url)
    try:
        with engine.begin() as connection:
            command.upgrade(migrate.alembic_config(connection), BEFORE)
        address = empty_database_url.replace("+psycopg", "", 1)
        with (
            caplog.at_level(logging.WARNING, "schema.migrate"),
            ThreadPoolExecutor(1) as thread,
            psycopg.connect(address) as user,
            psycopg.connect(address, autocommit=True) as other,
        ):
            user.execute("LOCK TABLE worker IN ROW EXCLUSIVE MODE")
            migrated = thread.submit(migrate.upgrade, empty_database_url)
            wait_until(lambda: "migration repeated" in caplog.messages, 30, "the migration gives up once")
            other.execute("SET statement_timeout = '10s'")
            other.execute("SELECT count(*) FROM worker")  # it does not wait for the lock that the migration waits for
            user.rollback()
            assert migrated.result(60) == revision.head_revision()
        assert migrate.check(empty_database_url) == []
    finally:
        engine.dispose()
