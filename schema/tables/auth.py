"""Tables for authentication: users, sessions, API keys and failed logins.

Passwords, session tokens and API keys are stored only as hashes, so a reader of the database cannot log in with them.
"""

from enum import StrEnum

from sqlalchemy import JSON, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, Uuid, func, text

from schema.tables.requests import Moment, metadata


class Role(StrEnum):
    """Roles of users; each role includes the permissions of the roles before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(StrEnum):
    """Scopes of API keys."""

    INVOKE = "invoke"
    READ = "read"
    MANAGE = "manage"


app_user = Table(
    "app_user",
    metadata,
    Column("username", Text, primary_key=True),
    Column("email", Text),
    Column("password_hash", Text, nullable=False, comment="argon2id, with its parameters and salt"),
    Column("role", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", Moment, nullable=False, server_default=text("clock_timestamp()")),
    Column("last_login_at", Moment),
    CheckConstraint("username ~ '^[A-Za-z0-9_.@+-]{1,64}$'", name="username"),
    CheckConstraint(f"role IN ({', '.join(repr(str(role)) for role in Role)})", name="role"),
    # Usernames are unique regardless of case, so that `Admin` cannot impersonate `admin`.
    Index("uq_app_user_username_folded", func.lower(text("username")), unique=True),
)

login_session = Table(
    "login_session",
    metadata,
    Column("token_hash", Text, primary_key=True, comment="SHA-256 of what the cookie holds"),
    Column(
        "username",
        Text,
        ForeignKey("app_user.username", ondelete="CASCADE", onupdate="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("address", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("prefix", Text, nullable=False, comment="first characters of the key, shown in lists"),
    Column("key_hash", Text, nullable=False, unique=True, comment="SHA-256; a key is random, so no salt is needed"),
    Column("scopes", JSON, nullable=False),
    Column("functions", JSON(none_as_null=True), comment="null: all"),
    Column("created_by", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, comment="null: never"),
    Column("last_used_at", Moment, comment="to the minute"),
)

login_failure = Table(
    "login_failure",
    metadata,
    Column("subject", Text, primary_key=True, comment="key of the count: a username, an address, or both"),
    Column("failures", Integer, nullable=False),
    Column("last_at", Moment, nullable=False, index=True),
    Column("blocked_until", Moment, nullable=False),
)
