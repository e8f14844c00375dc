"""Create, list, find and revoke API keys."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from schema.tables.auth import Scope, api_key
from workqueue.audit import Action, AuditEntry, record
from workqueue.auth.credentials import VISIBLE_KEY_LENGTH, digest, make_key
from workqueue.auth.permissions import Principal, key_principal
from workqueue.auth.validation import NAME_PATTERN, NAME_RULE, Rules, check_fields, field_error
from workqueue.errors import BadAccessError, KeyExistsError, UnknownKeyError
from workqueue.timestamps import EXPECTED, read_time

FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_FUNCTIONS = 1000
LAST_USED_INTERVAL = timedelta(minutes=1)  # precision of last_used_at: one write per key and minute
PUBLIC_COLUMNS = tuple(column for column in api_key.c if column.name != "key_hash")


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """The validated fields of a new API key."""

    name: str
    scopes: tuple[Scope, ...]
    functions: tuple[str, ...] | None
    expires_at: datetime | None


def list_keys(engine: Engine) -> Sequence[RowMapping]:
    with engine.connect() as connection:
        return connection.execute(select(*PUBLIC_COLUMNS).order_by(api_key.c.id)).mappings().all()


def create(engine: Engine, request: KeyRequest, created_by: str, now: datetime) -> tuple[RowMapping, str]:
    """Create an API key. Return its row and the key itself, which is not stored. Raises KeyExistsError."""
    key = make_key()
    row = {
        "id": uuid7(),
        "name": request.name,
        "prefix": key[:VISIBLE_KEY_LENGTH],
        "key_hash": digest(key),
        "scopes": list(request.scopes),
        "functions": None if request.functions is None else list(request.functions),
        "created_by": created_by,
        "created_at": now,
        "expires_at": request.expires_at,
    }
    try:
        with engine.begin() as connection:
            created = connection.execute(insert(api_key).values(row).returning(*PUBLIC_COLUMNS)).mappings().one()
            details = {"scopes": row["scopes"], "functions": row["functions"]}
            record(connection, AuditEntry(created_by, Action.KEY_CREATE, request.name, details))
    except IntegrityError:
        raise KeyExistsError from None
    return created, key


def revoke(engine: Engine, id: UUID, actor: str) -> RowMapping:
    """Delete an API key and return its row. Raises UnknownKeyError."""
    with engine.begin() as connection:
        found = (
            connection.execute(delete(api_key).where(api_key.c.id == id).returning(*PUBLIC_COLUMNS)).mappings().first()
        )
        if found is None:
            raise UnknownKeyError
        record(connection, AuditEntry(actor, Action.KEY_REVOKE, found["name"]))
    return found


def find_principal(engine: Engine, key_hash: str, now: datetime) -> Principal | None:
    """Return the principal of an API key; None if the key is unknown or expired. Record its use once a minute."""
    with engine.begin() as connection:
        row = connection.execute(select(api_key).where(api_key.c.key_hash == key_hash)).first()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            return None
        if row.last_used_at is None or row.last_used_at < now - LAST_USED_INTERVAL:
            connection.execute(update(api_key).where(api_key.c.id == row.id).values(last_used_at=now))
    return key_principal(row.name, [Scope(scope) for scope in row.scopes], row.functions)


def parse_key_request(fields: Mapping[str, Any], now: datetime) -> KeyRequest:
    """Validate the fields of a new API key. Raises BadAccessError."""
    check_fields(fields, RULES, needed=("name", "scopes"))
    expires_at, functions = _parse_time(fields.get("expires_at")), fields.get("functions")
    if expires_at is not None and expires_at <= now:
        raise BadAccessError([field_error("expires_at", "it is in the past")])
    return KeyRequest(
        fields["name"],
        tuple(Scope(scope) for scope in dict.fromkeys(fields["scopes"])),
        None if functions is None else tuple(dict.fromkeys(functions)),
        expires_at,
    )


def _is_list_of(value: Any, is_valid: Any) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_FUNCTIONS
        and all(isinstance(item, str) and is_valid(item) for item in value)
    )


def _parse_time(value: Any) -> datetime | None:
    try:
        return read_time(value)
    except ValueError:
        return None


RULES: Rules = {
    "name": (
        lambda value: isinstance(value, str) and NAME_PATTERN.fullmatch(value),
        NAME_RULE,
    ),
    "scopes": (
        lambda value: _is_list_of(value, lambda scope: scope in tuple(Scope)),
        f"a list with some of {', '.join(Scope)} is needed",
    ),
    "functions": (
        lambda value: value is None or _is_list_of(value, FUNCTION_NAME.fullmatch),
        "a list of function names, or null for all, is needed",
    ),
    "expires_at": (
        lambda value: value is None or _parse_time(value) is not None,
        f"{EXPECTED}, or null",
    ),
}
