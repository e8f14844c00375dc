"""Create, change and delete users. At least one enabled admin always remains."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError

from schema.tables.auth import Role, app_user, login_session
from workqueue.audit import Action, AuditEntry, record
from workqueue.auth.credentials import MAX_PASSWORD, MIN_PASSWORD, hash_password, verify_password
from workqueue.auth.validation import NAME_PATTERN, NAME_RULE, Rules, check_fields, field_error
from workqueue.errors import BadAccessError, LastAdminError, UnknownUserError, UserExistsError

RESERVED_NAMES = ("anonymous", "local")  # actors in the audit for unauthenticated calls
MAX_EMAIL = 254
PUBLIC_COLUMNS = (
    app_user.c.username,
    app_user.c.email,
    app_user.c.role,
    app_user.c.enabled,
    app_user.c.created_at,
    app_user.c.last_login_at,
)
LOCK_USERS = text("LOCK TABLE app_user IN SHARE ROW EXCLUSIVE MODE")


def list_users(engine: Engine) -> Sequence[RowMapping]:
    with engine.connect() as connection:
        return connection.execute(select(*PUBLIC_COLUMNS).order_by(app_user.c.username)).mappings().all()


def find(engine: Engine, username: str) -> RowMapping:
    """Return a user's public columns. Raises UnknownUserError."""
    with engine.connect() as connection:
        user = connection.execute(select(*PUBLIC_COLUMNS).where(app_user.c.username == username)).mappings().first()
    if user is None:
        raise UnknownUserError
    return user


def create(engine: Engine, fields: Mapping[str, Any], audit_entry: AuditEntry | None = None) -> str:
    """Create a user and return the username. Raises BadAccessError, UserExistsError."""
    check_fields(fields, RULES, needed=("username", "password"))
    try:
        with engine.begin() as connection:
            connection.execute(insert(app_user).values(username=fields["username"], **_columns(fields)))
            record(connection, audit_entry and replace(audit_entry, subject=fields["username"]))
    except IntegrityError:
        raise UserExistsError from None
    return str(fields["username"])


def insert_new(connection: Connection, fields: Mapping[str, Any]) -> bool:
    """Insert a user from validated fields. Return False if the username is taken."""
    statement = postgresql.insert(app_user).values(username=fields["username"], **_columns(fields))
    statement_with_result = statement.on_conflict_do_nothing().returning(app_user.c.username)
    return connection.execute(statement_with_result).first() is not None


def change(engine: Engine, username: str, fields: Mapping[str, Any], audit_entry: AuditEntry | None = None) -> None:
    """Change the given fields. A change of password, role or `enabled` ends all sessions of the user.

    Raises BadAccessError, UnknownUserError, LastAdminError.
    """
    check_fields(fields, CHANGEABLE)
    columns = _columns(fields, ()) if fields else {}
    with engine.begin() as connection:
        connection.execute(LOCK_USERS)
        statement = update(app_user).where(app_user.c.username == username)
        if columns and not connection.execute(statement.values(columns)).rowcount:
            raise UnknownUserError
        _require_admin(connection)
        if columns.keys() - {"email"}:
            end_sessions(connection, username)
        record(connection, audit_entry and replace(audit_entry, details={"fields": sorted(fields)}))


def remove(engine: Engine, username: str, audit_entry: AuditEntry | None = None) -> None:
    """Delete a user. Raises UnknownUserError, LastAdminError."""
    with engine.begin() as connection:
        connection.execute(LOCK_USERS)
        if not connection.execute(delete(app_user).where(app_user.c.username == username)).rowcount:
            raise UnknownUserError
        _require_admin(connection)
        record(connection, audit_entry)


def check_password(password: str) -> None:
    """Raise BadAccessError for a password that the API would reject."""
    check_fields({"password": password}, {"password": RULES["password"]})


def ensure_superuser(
    engine: Engine, username: str, password: str, email: str | None = None, audit_entry: AuditEntry | None = None
) -> bool:
    """Create an admin with this name and password, or restore one. Return True if the user is new.

    A changed password ends the user's sessions, because the old password may be compromised. An unchanged one ends no
    session: otherwise every start would log the admin out. The caller has checked the password. audit_entry: recorded
    only if something changes.

    Raises BadAccessError for an invalid name.
    """
    if not NAME_PATTERN.fullmatch(username):
        raise BadAccessError([field_error("username", NAME_RULE)])
    fields = {"password": password, "role": Role.ADMIN, "enabled": True}
    fields |= {} if email is None else {"email": email}
    with engine.begin() as connection:
        connection.execute(LOCK_USERS)
        is_user = func.lower(app_user.c.username) == username.lower()
        before = connection.execute(select(app_user).where(is_user)).mappings().first()
        if before is None:
            connection.execute(insert(app_user).values(username=username, **_columns(fields)))
            record(connection, audit_entry and replace(audit_entry, action=Action.USER_CREATE))
            return True
        if changed := {name: value for name, value in fields.items() if not _is_unchanged(before, name, value)}:
            connection.execute(update(app_user).where(is_user).values(_columns(changed, ())))
            record(
                connection,
                audit_entry and replace(audit_entry, details={**audit_entry.details, "fields": sorted(changed)}),
            )
        if "password" in changed:
            end_sessions(connection, before["username"])
        return False


def _is_unchanged(row: RowMapping, field: str, value: Any) -> bool:
    return verify_password(value, row["password_hash"]) if field == "password" else bool(row[field] == value)


def end_sessions(connection: Connection, username: str) -> None:
    """Delete all sessions of a user."""
    connection.execute(delete(login_session).where(login_session.c.username == username))


def _columns(fields: Mapping[str, Any], default_role: Sequence[Role] = (Role.VIEWER,)) -> dict[str, Any]:
    columns = {name: fields[name] for name in ("email", "role", "enabled") if name in fields}
    if "password" in fields:
        columns["password_hash"] = hash_password(fields["password"])
    return {"role": default_role[0], **columns} if default_role else columns


def _require_admin(connection: Connection) -> None:
    admins = select(app_user.c.username).where(app_user.c.role == Role.ADMIN, app_user.c.enabled).limit(1)
    if connection.execute(admins).first() is None:
        raise LastAdminError


def _is_valid_email(value: Any) -> bool:
    return value is None or (
        isinstance(value, str) and "@" in value and value.isprintable() and len(value) <= MAX_EMAIL
    )


def _is_valid_username(value: Any) -> bool:
    return isinstance(value, str) and bool(NAME_PATTERN.fullmatch(value)) and value.lower() not in RESERVED_NAMES


def _is_valid_password(value: Any) -> bool:
    return isinstance(value, str) and MIN_PASSWORD <= len(value) <= MAX_PASSWORD and _has_no_surrogates(value)


def _has_no_surrogates(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


RULES: Rules = {
    "username": (_is_valid_username, f"{NAME_RULE}; {' and '.join(RESERVED_NAMES)} are reserved"),
    "password": (_is_valid_password, f"{MIN_PASSWORD} to {MAX_PASSWORD} characters are needed"),
    "email": (_is_valid_email, "an email address, or null, is needed"),
    "role": (lambda value: isinstance(value, str) and value in tuple(Role), f"one of {', '.join(Role)} is needed"),
    "enabled": (lambda value: isinstance(value, bool), "true or false is needed"),
}
CHANGEABLE = {name: rule for name, rule in RULES.items() if name != "username"}
