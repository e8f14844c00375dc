"""Brings a database to the newest schema. Safe to run many times, also at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from schema.session import make_engine

FOLDER = Path(__file__).parent / "migrations"
LOCK = 0x6C6F6366  # "locf": an advisory lock of our own; nobody else migrates while it is held


def upgrade(database_url: str) -> None:
    """Applies every migration that is missing, in one transaction, under an advisory lock."""
    engine = make_engine(database_url, pool_size=1)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            command.upgrade(config(connection), "head")
    finally:
        engine.dispose()


def config(connection: Connection) -> Config:
    """Alembic's configuration, made here so that no ini file with a URL in it is needed."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made
