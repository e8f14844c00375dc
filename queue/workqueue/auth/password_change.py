"""Change a user's own password. Guesses of the old password are throttled like logins."""

from datetime import datetime

from sqlalchemy import Engine, select, update

from schema.tables.auth import Role, app_user
from workqueue.audit import Action, AuditEntry, record
from workqueue.auth import login_throttle, sessions, users
from workqueue.auth.credentials import LOGIN_LIMITER, MAX_PASSWORD, hash_password, verify_password
from workqueue.auth.validation import field_error
from workqueue.errors import BadAccessError

MISMATCH_DETAIL = "it is not your password"


def change(engine: Engine, username: str, old: str, new: str, address: str, now: datetime) -> sessions.Login:
    """Change the password, end all sessions of the user, and return a new one.

    Raises BadAccessError, TooManyLoginsError.
    """
    users.check_password(new)
    with LOGIN_LIMITER.slot(address):
        return _change(engine, username, old, new, address, now)


def _change(engine: Engine, username: str, old: str, new: str, address: str, now: datetime) -> sessions.Login:
    login_throttle.count_attempt(engine, username, address, now)
    with engine.connect() as connection:
        old_hash = connection.scalar(select(app_user.c.password_hash).where(app_user.c.username == username))
    if not verify_password(old[: MAX_PASSWORD + 1], old_hash):
        with engine.begin() as connection:
            record(connection, AuditEntry(username, Action.LOGIN_FAILED, username, {"address": address}))
        raise BadAccessError([field_error("old_password", MISMATCH_DETAIL)])
    login_throttle.reset_after_login(engine, username, address)
    row = app_user.c
    # Compare the old hash again: a concurrent change may have replaced the password that was checked above.
    is_unchanged = (row.username == username) & (row.password_hash == old_hash) & row.enabled
    with engine.begin() as connection:
        statement = update(app_user).where(is_unchanged).values(password_hash=hash_password(new)).returning(row.role)
        role = connection.scalar(statement)
        if role is None:
            raise BadAccessError([field_error("old_password", MISMATCH_DETAIL)])
        users.end_sessions(connection, username)
        record(connection, AuditEntry(username, Action.USER_CHANGE, username, {"fields": ["password"]}))
        return sessions.create_session(connection, username, Role(role), address, now)
