"""A user changes the own password: with the old one, which is guessed no faster than at the login."""

from datetime import datetime

from sqlalchemy import Engine, select, update

from schema.tables.auth import Role, app_user
from workqueue.audit import Action, AuditEntry, record
from workqueue.auth import login_throttle, sessions, users
from workqueue.auth.credentials import LOGINS, MAX_PASSWORD, hash_password, is_password
from workqueue.auth.validation import entry
from workqueue.errors import BadAccessError

WRONG = "it is not your password"


def change(engine: Engine, username: str, old: str, new: str, address: str, now: datetime) -> sessions.Login:
    """Every session of the user ends; gives the one that goes on. Raises BadAccessError, TooManyLoginsError."""
    users.check_password(new)
    with LOGINS.turn(address):
        return _change(engine, username, old, new, address, now)


def _change(engine: Engine, username: str, old: str, new: str, address: str, now: datetime) -> sessions.Login:
    login_throttle.reserve(engine, username, address, now)
    with engine.connect() as connection:
        known = connection.scalar(select(app_user.c.password_hash).where(app_user.c.username == username))
    if not is_password(old[: MAX_PASSWORD + 1], known):
        with engine.begin() as connection:
            record(connection, AuditEntry(username, Action.LOGIN_FAILED, username, {"address": address}))
        raise BadAccessError([entry("old_password", WRONG)])
    login_throttle.forgive(engine, username, address)
    row = app_user.c
    # The old hash once more: of two changes at once, the second was asked with a password that is none any more.
    mine = (row.username == username) & (row.password_hash == known) & row.enabled
    with engine.begin() as connection:
        statement = update(app_user).where(mine).values(password_hash=hash_password(new)).returning(row.role)
        role = connection.scalar(statement)
        if role is None:
            raise BadAccessError([entry("old_password", WRONG)])
        users.end_sessions(connection, username)
        record(connection, AuditEntry(username, Action.USER_CHANGE, username, {"fields": ["password"]}))
        return sessions.begin(connection, username, Role(role), address, now)
