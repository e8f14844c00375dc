"""Log users in and out. The cookie holds a random token; the table holds its hash and its expiry."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from schema.tables.auth import Role, app_user, login_session
from workqueue.audit import Action, AuditEntry, record
from workqueue.auth import login_throttle
from workqueue.auth.credentials import LOGIN_LIMITER, MAX_PASSWORD, digest, make_token, verify_password
from workqueue.auth.permissions import Principal, user_principal
from workqueue.database import sanitize_text
from workqueue.errors import BadLoginError

LIFETIME = timedelta(days=7)
MAX_IDLE = timedelta(hours=24)
SEEN_UPDATE_INTERVAL = timedelta(minutes=5)  # precision of seen_at: one write per session in this time
MAX_USERNAME = 64  # characters; no user has a longer name, and the audit does not store one
MAX_SESSIONS = 20  # of one user; a further login ends the oldest


@dataclass(frozen=True, slots=True)
class Login:
    """A new session. token: the value of the cookie."""

    token: str
    principal: Principal
    lifetime_s: int


def log_in(engine: Engine, username: str, password: str, address: str, now: datetime) -> Login:
    """Verify the password and create a session. Raises BadLoginError, TooManyLoginsError."""
    with LOGIN_LIMITER.slot(address):
        return _log_in(engine, username[: MAX_USERNAME + 1], password, address, now)


def _log_in(engine: Engine, username: str, password: str, address: str, now: datetime) -> Login:
    login_throttle.count_attempt(engine, username, address, now)
    with engine.connect() as connection:
        is_user = func.lower(app_user.c.username) == username.lower()
        user = connection.execute(select(app_user).where(is_user)).mappings().first()
    is_correct = verify_password(password[: MAX_PASSWORD + 1], user["password_hash"] if user else None)
    if user is None or not is_correct or not user["enabled"]:
        # The throttle limits how many entries a flood of guesses adds to the audit.
        with engine.begin() as connection:
            record(
                connection, AuditEntry("anonymous", Action.LOGIN_FAILED, sanitize_text(username), {"address": address})
            )
        raise BadLoginError
    login_throttle.reset_after_login(engine, username, address)
    login_throttle.delete_old(engine, now)
    delete_expired(engine, now)
    with engine.begin() as connection:
        login = create_session(connection, user["username"], Role(user["role"]), address, now)
        connection.execute(update(app_user).where(app_user.c.username == user["username"]).values(last_login_at=now))
        record(connection, AuditEntry(user["username"], Action.LOGIN, user["username"], {"address": address}))
    return login


def create_session(connection: Connection, username: str, role: Role, address: str, now: datetime) -> Login:
    """Create a session for an authenticated user, and end the oldest sessions beyond MAX_SESSIONS."""
    token, row = make_token(), login_session.c
    values = {"username": username, "address": address, "created_at": now, "seen_at": now, "expires_at": now + LIFETIME}
    connection.execute(insert(login_session).values(token_hash=digest(token), **values))
    is_users = row.username == username
    newest = select(row.token_hash).where(is_users).order_by(row.created_at.desc()).limit(MAX_SESSIONS)
    connection.execute(delete(login_session).where(is_users, row.token_hash.not_in(newest)))
    return Login(token, user_principal(username, role), int(LIFETIME.total_seconds()))


def find_principal(engine: Engine, token_hash: str, now: datetime) -> Principal | None:
    """Return the principal of a session; None if it is unknown or expired. Update seen_at when it is outdated."""
    with engine.begin() as connection:
        row = connection.execute(
            select(app_user.c.username, app_user.c.role, login_session.c.seen_at)
            .join_from(login_session, app_user)
            .where(
                login_session.c.token_hash == token_hash,
                login_session.c.expires_at > now,
                login_session.c.seen_at > now - MAX_IDLE,
                app_user.c.enabled,
            )
        ).first()
        if row is None:
            return None
        if row.seen_at < now - SEEN_UPDATE_INTERVAL:
            is_session = login_session.c.token_hash == token_hash
            connection.execute(update(login_session).where(is_session).values(seen_at=now))
    return user_principal(row.username, Role(row.role))


def log_out(engine: Engine, token_hash: str, actor: str, *, everywhere: bool) -> None:
    """End this session, or all sessions of its user. Do nothing for an unknown token."""
    row = login_session.c
    is_ending = row.token_hash == token_hash
    if everywhere:
        is_ending = row.username.in_(select(row.username).where(is_ending))
    with engine.begin() as connection:
        ended = connection.execute(delete(login_session).where(is_ending).returning(row.username)).scalars().all()
        if ended:
            record(connection, AuditEntry(actor, Action.LOGOUT, ended[0], {"sessions": len(ended)}))


def delete_expired(engine: Engine, now: datetime) -> None:
    """Delete sessions that have expired or were idle for too long."""
    is_expired = (login_session.c.expires_at < now) | (login_session.c.seen_at < now - MAX_IDLE)
    with engine.begin() as connection:
        connection.execute(delete(login_session).where(is_expired))
