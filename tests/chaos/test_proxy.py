"""Check the proxy of the chaos run: commits with a lost answer are stored, cut commits are not."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from tests.chaos.environment.proxy import SOCKET, Proxy, Shares
from tests.chaos.evidence.event_log import EventLog

INSERT = "INSERT INTO setup_flag (name, setup_complete, created_at) VALUES ('x', true, now())"
COUNT = "SELECT count(*) FROM setup_flag WHERE name = 'x'"


@pytest.fixture
def proxy(short_tmp_path: Path, database_url: str) -> Iterator[Proxy]:
    folder = Path(str(sqlalchemy.make_url(database_url).query["host"]))
    made = Proxy(short_tmp_path / "proxy", folder / SOCKET, EventLog(), seed=1)
    made.start()
    yield made
    made.stop()


def connect(database_url: str, host: Path | None = None) -> psycopg.Connection[tuple[object, ...]]:
    url = sqlalchemy.make_url(database_url.replace("+psycopg", "", 1))
    through = url if host is None else url.update_query_dict({"host": str(host)})
    return psycopg.connect(through.render_as_string(hide_password=False))


def insert_through(proxy: Proxy, database_url: str) -> None:
    """Insert like `with connect(…)`, without a second commit on a closed connection."""
    connection = connect(database_url, proxy.folder)
    proxy.is_nasty = True
    try:
        connection.execute(INSERT)
        connection.commit()
    finally:
        proxy.is_nasty = False
        connection.close()


def stored(database_url: str) -> object:
    with connect(database_url) as connection:
        row = connection.execute(COUNT).fetchone()
    assert row is not None
    return row[0]


def test_without_loss_everything_passes(proxy: Proxy, database_url: str) -> None:
    proxy.shares = Shares(lost=0.0, cut=0.0)
    insert_through(proxy, database_url)
    assert stored(database_url) == 1
    assert not proxy.event_log.events


def test_a_commit_whose_answer_is_lost_was_stored(proxy: Proxy, database_url: str) -> None:
    proxy.shares = Shares(lost=1.0, cut=0.0)
    with pytest.raises(psycopg.OperationalError):
        insert_through(proxy, database_url)
    assert stored(database_url) == 1
    assert [(entry.kind, entry.detail[:11]) for entry in proxy.event_log.events] == [
        ("commit's answer lost", "INSERT INTO")
    ]


def test_a_commit_that_is_cut_off_was_not_stored(proxy: Proxy, database_url: str) -> None:
    proxy.shares = Shares(lost=0.0, cut=1.0)
    with pytest.raises(psycopg.OperationalError):
        insert_through(proxy, database_url)
    assert stored(database_url) == 0
