"""Set the clock of one test's database. PostgreSQL takes its time from the machine, which tests cannot set.

A function clock_timestamp() shadows PostgreSQL's own for new connections, so the old connections are ended.
"""

from datetime import datetime, timedelta

from sqlalchemy import Engine, text

SHADOW = """
    CREATE SCHEMA told;
    CREATE TABLE told.clock (stands_at timestamptz, is_ahead_by interval NOT NULL);
    INSERT INTO told.clock VALUES (NULL, '0');
    CREATE FUNCTION told.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS
        'SELECT coalesce(stands_at, pg_catalog.clock_timestamp() + is_ahead_by) FROM told.clock';
"""
END_OTHERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def shift_time(engine: Engine, by: timedelta) -> None:
    """Move the clock forward or back; it runs on from there."""
    _prepare(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE told.clock SET is_ahead_by = is_ahead_by + :by"), {"by": by})


def set_time(engine: Engine, moment: datetime) -> None:
    """Stop the clock at a moment."""
    _prepare(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE told.clock SET stands_at = :moment"), {"moment": moment})


def _prepare(engine: Engine) -> None:
    with engine.begin() as connection:
        if connection.execute(text("SELECT to_regclass('told.clock')")).scalar_one() is not None:
            return
        connection.execute(text(SHADOW))
        name = engine.url.database
        connection.execute(text(f'ALTER DATABASE "{name}" SET search_path = told, pg_catalog, public'))
    with engine.begin() as connection:
        connection.execute(END_OTHERS)
    engine.dispose()
