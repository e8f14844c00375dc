"""Failed logins slow the next ones down: counted in PostgreSQL, so that every process and a restart know of them.

Three counts, each with a ceiling on its pause, so that nobody is locked out for ever by what others do: of a name from
one address, of an address, and of a name from anywhere. The last does not hold for addresses from which this user has
logged in: a flood of guesses from elsewhere does not keep him out.
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
    """subject: what is counted. free: failures without a pause; then it doubles from a second to `longest_s`."""

    subject: str
    free: int
    max_pause_s: float

    def pause(self, failures: int) -> timedelta:
        over = failures - self.free
        return timedelta(seconds=min(2.0 ** min(over, 30), self.max_pause_s)) if over >= 0 else timedelta()


def failure_counts(username: str, address: str, *, is_known_place: bool) -> list[FailureCount]:
    name = username.lower()[:64]
    found = [FailureCount(f"login:{name}@{address}", 5, 300), FailureCount(f"address:{address}", 20, 60)]
    return found if is_known_place else [*found, FailureCount(f"name:{name}", 30, 5)]


def count_attempt(engine: Engine, username: str, address: str, now: datetime) -> None:
    """Counts a try as failed, before it is known: many at once are counted as many. Raises TooManyLoginsError."""
    with engine.begin() as connection:
        wanted = failure_counts(username, address, is_known_place=_is_known_address(connection, username, address))
        # In one order, whoever comes: two transactions do not wait for each other.
        blocked = [
            until
            for count in sorted(wanted, key=lambda c: c.subject)
            if (until := _count_failure(connection, count, now))
        ]
        if blocked:
            connection.rollback()
            raise TooManyLoginsError(max(1, round((max(blocked) - now).total_seconds())))


def reset_after_login(engine: Engine, username: str, address: str) -> None:
    """After a login: what was counted against this name is forgotten; of the address only this try."""
    subjects = [count.subject for count in failure_counts(username, address, is_known_place=False)]
    of_address = f"address:{address}"
    with engine.begin() as connection:
        mine = [subject for subject in subjects if subject != of_address]
        connection.execute(delete(login_failure).where(login_failure.c.subject.in_(mine)))
        connection.execute(
            login_failure.update()
            .where(login_failure.c.subject == of_address, login_failure.c.failures > 0)
            .values(failures=login_failure.c.failures - 1)
        )


def delete_old(engine: Engine, now: datetime) -> None:
    """Removes what is forgotten."""
    with engine.begin() as connection:
        connection.execute(delete(login_failure).where(login_failure.c.last_at < now - FAILURE_MEMORY))


def _count_failure(connection: Connection, count: FailureCount, now: datetime) -> datetime | None:
    """One more; gives until when it is too early for another try, if it is."""
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
    mine = func.lower(login_session.c.username) == username.lower()
    found = select(login_session.c.username).where(mine, login_session.c.address == address).limit(1)
    return connection.execute(found).first() is not None
