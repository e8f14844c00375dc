"""Leadership: of any number of copies of a loop one runs, the others wait to."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from workqueue.invocation.persist import first_line

log = logging.getLogger(__name__)

EVERY_S = 0.5
FROZEN_S = 4.0  # a leader that asked nothing for so long leads no more

RECONCILER = 0x6C6F636C  # "locl"
TICKER = 0x6C6F6374  # "loct"


def lead(
    engine: Engine,
    lock: int,
    turn: Callable[[], None],
    stopping: threading.Event,
    *,
    begin: Callable[[], None] = lambda: None,
    follow: Callable[[], None] = lambda: None,
    pause_s: Callable[[], float] = lambda: EVERY_S,
) -> None:
    """Takes turns while it leads; ends when `stopping` is set.

    lock: of the advisory lock. begin: called at the start of a lead, follow: when another copy leads. pause_s: how
    long to wait before the next turn. An outage of the database ends the lead, and what a turn raises else ends all.
    """
    while not stopping.is_set():
        try:
            with engine.connect() as connection:
                if _leads(connection, lock):
                    try:
                        begin()
                        _take_turns(connection, turn, stopping, pause_s)
                    finally:
                        connection.invalidate()  # back in the pool it would keep the lock
                else:
                    follow()
        except (DBAPIError, PoolTimeoutError) as error:
            log.warning("PostgreSQL is away", extra={"error": first_line(error)})
        stopping.wait(EVERY_S)


def _leads(connection: Connection, lock: int) -> bool:
    """The lock belongs to the connection's session: it ends with the process, or with the connection.

    PostgreSQL ends the session of a leader that is frozen, so that another one leads.
    """
    connection.execute(text(f"SET idle_session_timeout = {int(FROZEN_S * 1000)}"))
    led = bool(connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": lock}).scalar_one())
    connection.commit()
    return led


def _take_turns(
    connection: Connection, turn: Callable[[], None], stopping: threading.Event, pause_s: Callable[[], float]
) -> None:
    while not stopping.wait(pause_s()):
        connection.execute(text("SELECT 1"))  # raises when the session, and with it the lock, is gone
        connection.commit()
        turn()
