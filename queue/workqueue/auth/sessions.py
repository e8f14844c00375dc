"""Logging in and out. The cookie holds a random token; the table holds its hash and when it ends."""

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
SEEN_UPDATE_INTERVAL = timedelta(minutes=5)  # how often a use is written down
MAX_USERNAME = 64  # characters; a longer name is nobody's, and is not stored
MAX_SESSIONS = 20  # sessions of one user; the oldest ends when there are more


@dataclass(frozen=True, slots=True)
class Login:
    """token: for the cookie."""

    token: str
    principal: Principal
    lifetime_s: int


def log_in(engine: Engine, username: str, password: str, address: str, now: datetime) -> Login:
    """Begin a session, whatever the client had before. Raises BadLoginError, TooManyLoginsError."""
    with LOGIN_LIMITER.slot(address):
        return _log_in(engine, username[: MAX_USERNAME + 1], password, address, now)


def _log_in(engine: Engine, username: str, password: str, address: str, now: datetime) -> Login:
    login_throttle.count_attempt(engine, username, address, now)
    with engine.connect() as connection:
        mine = func.lower(app_user.c.username) == username.lower()
        user = connection.execute(select(app_user).where(mine)).mappings().first()
    is_right = verify_password(password[: MAX_PASSWORD + 1], user["password_hash"] if user else None)
    if user is None or not is_right or not user["enabled"]:
        # As many as the throttle looks at: a flood of guesses does not fill the table.
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
    """A session of somebody whose password was right. The oldest beyond MOST end."""
    token, row = make_token(), login_session.c
    values = {"username": username, "address": address, "created_at": now, "seen_at": now, "expires_at": now + LIFETIME}
    connection.execute(insert(login_session).values(token_hash=digest(token), **values))
    mine = row.username == username
    kept = select(row.token_hash).where(mine).order_by(row.created_at.desc()).limit(MAX_SESSIONS)
    connection.execute(delete(login_session).where(mine, row.token_hash.not_in(kept)))
    return Login(token, user_principal(username, role), int(LIFETIME.total_seconds()))


def find_principal(engine: Engine, token_hash: str, now: datetime) -> Principal | None:
    """Whose session it is, if it lasts. Its use is noted now and then."""
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
            mine = login_session.c.token_hash == token_hash
            connection.execute(update(login_session).where(mine).values(seen_at=now))
    return user_principal(row.username, Role(row.role))


def log_out(engine: Engine, token_hash: str, actor: str, *, everywhere: bool) -> None:
    """Ends this session, or all of its user. A token that is none ends nothing."""
    row = login_session.c
    mine = row.token_hash == token_hash
    if everywhere:
        mine = row.username.in_(select(row.username).where(mine))
    with engine.begin() as connection:
        ended = connection.execute(delete(login_session).where(mine).returning(row.username)).scalars().all()
        if ended:
            record(connection, AuditEntry(actor, Action.LOGOUT, ended[0], {"sessions": len(ended)}))


def delete_expired(engine: Engine, now: datetime) -> None:
    """Removes what has ended."""
    over = (login_session.c.expires_at < now) | (login_session.c.seen_at < now - MAX_IDLE)
    with engine.begin() as connection:
        connection.execute(delete(login_session).where(over))
