"""Why a database cannot take a statement now, rather than ever."""

from enum import StrEnum

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Outage(StrEnum):
    """What keeps PostgreSQL from a statement. Reads go on in the first two."""

    FULL = "full"
    """Its disk has no room."""

    READ_ONLY = "read_only"
    """It is a standby, or was told to write nothing."""

    CROWDED = "crowded"
    """It has no connection, or no memory, left."""

    SLOW = "slow"
    """All connections of this process have waited for it too long."""

    AWAY = "away"
    """It does not answer, starts, or stops."""


# PostgreSQL's manual, appendix A.
BY_STATE = {"53100": Outage.FULL, "25006": Outage.READ_ONLY}
CROWDED_CLASS = "53"  # insufficient resources
BEYOND_LIMITS = "54"  # too large or too complex: a retry changes nothing
# A refused connection has no code in psycopg; the server's words are all there is.
BY_WORDS = {
    "No space left on device": Outage.FULL,
    "too many clients already": Outage.CROWDED,
    "remaining connection slots": Outage.CROWDED,
    "too many connections": Outage.CROWDED,
}
WORDS = {
    Outage.FULL: "the disk of PostgreSQL is full",
    Outage.READ_ONLY: "PostgreSQL takes no writes: it is read-only",
    Outage.CROWDED: "PostgreSQL has no free connection",
    Outage.SLOW: "PostgreSQL does not answer in time",
    Outage.AWAY: "PostgreSQL is away",
}


def outage_of(error: Exception) -> Outage | None:
    """Return what keeps the database from this statement now; None for an error that it would give at any time."""
    if isinstance(error, PoolTimeoutError):
        return Outage.SLOW
    if not isinstance(error, DBAPIError):
        return None
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in BY_STATE:
        return BY_STATE[state]
    # psycopg raises OperationalError for all that concerns the connection or the server's state.
    if not (error.connection_invalidated or (isinstance(error, OperationalError) and state[:2] != BEYOND_LIMITS)):
        return None
    if state.startswith(CROWDED_CLASS):
        return Outage.CROWDED
    said = str(error.orig)
    return next((outage for words, outage in BY_WORDS.items() if words in said), Outage.AWAY)
