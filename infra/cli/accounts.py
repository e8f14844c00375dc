"""Manage users and API keys from the command line, directly in the database.

Access to the database is enough: so the operator can create the first admin and the first key, and can reset
an admin's password.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from handlers.resources import accounts
from infra.audit_actor import actor, audit_entry
from infra.config.service_urls import require_local, with_service_urls
from infra.config.settings import load
from infra.errors import InfraError
from infra.processes.connections import check_schema_of
from schema import revision
from schema.engine import make_engine
from workqueue.audit import Action
from workqueue.auth import api_keys, users
from workqueue.clock import Clock
from workqueue.errors import BadAccessError, KeyExistsError, UnknownKeyError


class AccountError(InfraError):
    """A user or an API key has an invalid field."""

    exit_code = 2


class NoSuchKeyError(InfraError):
    """There is no API key of this name or id."""

    exit_code = 4


def make_superuser(username: str, password: str, email: str | None) -> bool:
    """Create an admin, or update one. Return True for a new user. Raises AccountError."""
    with _engine() as engine:
        try:
            users.check_password(password)
            audit = audit_entry("users create-superuser", Action.USER_CHANGE, username)
            return users.ensure_superuser(engine, username, password, email, audit)
        except BadAccessError as error:
            # Not "password: 8 …": the redactor would take the rule for the password.
            reasons = (f"{entry['field']} is not valid: {entry['detail']}" for entry in error.errors)
            raise AccountError("; ".join(reasons)) from None


def list_users() -> list[dict[str, Any]]:
    with _engine() as engine:
        return [accounts.USER.serialize(row) for row in users.list_users(engine)]


def make_key(name: str, scopes: list[str], functions: list[str] | None, expires_at: datetime | None) -> dict[str, Any]:
    """Create an API key, and return it as in the API, with the secret. Raises AccountError."""
    fields = {
        "name": name,
        "scopes": scopes,
        "functions": functions,
        "expires_at": expires_at.isoformat() if expires_at else None,
    }
    with _engine() as engine:
        clock = Clock()
        clock.synchronise(engine)
        try:
            wanted = api_keys.parse_key_request(fields, clock.now())
            row, secret = api_keys.create(engine, wanted, actor(), clock.now())
        except (BadAccessError, KeyExistsError) as error:
            raise AccountError(str(error)) from None
    return accounts.CREATED_KEY.serialize(row, key=secret)


def list_keys() -> list[dict[str, Any]]:
    with _engine() as engine:
        return [accounts.KEY.serialize(row) for row in api_keys.list_keys(engine)]


def revoke_key(wanted: str) -> dict[str, Any]:
    """Revoke a key. wanted: name or ID. Raises NoSuchKeyError."""
    with _engine() as engine:
        found = [row for row in api_keys.list_keys(engine) if wanted in (row["name"], str(row["id"]))]
        try:
            return accounts.KEY.serialize(api_keys.revoke(engine, UUID(str(found[0]["id"])), actor()))
        except (IndexError, UnknownKeyError):
            raise NoSuchKeyError(f"no API key has the name or id {wanted!r}; see `localfn keys list`.") from None


@contextmanager
def _engine() -> Iterator[Engine]:
    settings = with_service_urls(require_local(load()))
    assert settings.database_url is not None
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        check_schema_of(engine)
        if not revision.is_usable(engine):
            raise InfraError("the database schema is not that of this version; migrate it with `localfn init`.")
        yield engine
    finally:
        engine.dispose()
