"""Delay logins after failures. The counts are in PostgreSQL, so all processes share them and a restart keeps them.

There are three counts: per username and address, per address, and per username. Each has a maximum pause, so that an
attacker cannot lock a user out forever. The count per username does not apply to addresses with a session of this user:
guesses from other addresses do not lock the user out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from schema.tables.auth import login_failure, login_session
from workqueue.errors import TooManyLoginsError

FAILURE_MEMORY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class FailureCount:
    """One count of failed logins.

    subject: the key of the count. free_failures: failures without a pause; each further one doubles the pause, from a
    second up to max_pause_s.
    """

    subject: str
    free_failures: int
    max_pause_s: float

    def pause(self, failures: int) -> timedelta:
        """Return the pause after this many failures."""
        excess = failures - self.free_failures
        return timedelta(seconds=min(2.0 ** min(excess, 30), self.max_pause_s)) if excess >= 0 else timedelta()


def failure_counts(username: str, address: str, *, is_known_address: bool) -> list[FailureCount]:
    """Return the counts that apply to a login. is_known_address: the user has a session from this address."""
    name = username.lower()[:64]
    found = [FailureCount(f"login:{name}@{address}", 5, 300), FailureCount(f"address:{address}", 20, 60)]
    return found if is_known_address else [*found, FailureCount(f"name:{name}", 30, 5)]


def count_attempt(engine: Engine, username: str, address: str, now: datetime) -> None:
    """Count a login as failed before its password is checked, so that concurrent guesses all count.

    Raises TooManyLoginsError while a pause lasts.
    """
    with engine.begin() as connection:
        is_known = _is_known_address(connection, username, address)
        # Always in the same order, so that two transactions cannot deadlock.
        counts = sorted(failure_counts(username, address, is_known_address=is_known), key=lambda count: count.subject)
        blocked = [until for count in counts if (until := _count_failure(connection, count, now))]
        if blocked:
            connection.rollback()
            raise TooManyLoginsError(max(1, round((max(blocked) - now).total_seconds())))


def reset_after_login(engine: Engine, username: str, address: str) -> None:
    """Delete the failures of this username after a successful login, and uncount this attempt for the address."""
    subjects = [count.subject for count in failure_counts(username, address, is_known_address=False)]
    of_address = f"address:{address}"
    with engine.begin() as connection:
        of_username = [subject for subject in subjects if subject != of_address]
        connection.execute(delete(login_failure).where(login_failure.c.subject.in_(of_username)))
        connection.execute(
            login_failure.update()
            .where(login_failure.c.subject == of_address, login_failure.c.failures > 0)
            .values(failures=login_failure.c.failures - 1)
        )


def delete_old(engine: Engine, now: datetime) -> None:
    """Delete counts whose last failure is older than FAILURE_MEMORY."""
    with engine.begin() as connection:
        connection.execute(delete(login_failure).where(login_failure.c.last_at < now - FAILURE_MEMORY))


def _count_failure(connection: Connection, count: FailureCount, now: datetime) -> datetime | None:
    """Add one failure. If a pause still lasts, change nothing and return its end."""
    row = login_failure.c
    statement = insert(login_failure).values(subject=count.subject, failures=0, last_at=now, blocked_until=now)
    connection.execute(statement.on_conflict_do_nothing())
    found = connection.execute(
        select(row.failures, row.last_at, row.blocked_until).where(row.subject == count.subject).with_for_update()
    ).one()
    if found.blocked_until > now:
        return found.blocked_until  # type: ignore[no-any-return]
    failures = 1 if found.last_at < now - FAILURE_MEMORY else found.failures + 1
    values = {"failures": failures, "last_at": now, "blocked_until": now + count.pause(failures)}
    connection.execute(login_failure.update().where(row.subject == count.subject).values(values))
    return None


def _is_known_address(connection: Connection, username: str, address: str) -> bool:
    is_user = func.lower(login_session.c.username) == username.lower()
    statement = select(login_session.c.username).where(is_user, login_session.c.address == address).limit(1)
    return connection.execute(statement).first() is not None
