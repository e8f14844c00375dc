"""The shapes of users, sessions and API keys."""

from typing import Any

from handlers.openapi.json_schema import (
    Optional,
    array,
    closed,
    flag,
    listing,
    moment,
    nullable,
    one_of,
    shape,
    text,
    uuid,
)
from handlers.openapi.schemas_requests import NAME
from schema.tables.auth import Role, Scope
from workqueue.auth.credentials import MAX_PASSWORD, MIN_PASSWORD
from workqueue.auth.permissions import Permission
from workqueue.auth.users import MAX_EMAIL

USERNAME = text(pattern="^[A-Za-z0-9_.@+-]{1,64}$")
PASSWORD = text(minLength=MIN_PASSWORD, maxLength=MAX_PASSWORD, format="password")

LOGIN = closed(shape("Login", username=text(), password=text(format="password")))
PASSWORD_CHANGE = closed(shape("PasswordChange", old_password=text(format="password"), password=PASSWORD))
WHO = shape("SessionUser", username=text(), role=one_of(Role))
SESSION = shape(
    "Session",
    auth=one_of(("required", "none")),
    user=nullable(WHO),
    permissions=array(one_of(Permission), "what whoever asks this may do"),
)

EMAIL = nullable(text(maxLength=MAX_EMAIL, pattern="@"))
NEW_USER = closed(
    shape(
        "NewUser",
        username=USERNAME,
        password=PASSWORD,
        email=Optional(EMAIL),
        role=Optional(one_of(Role, "viewer unless given")),
        enabled=Optional(flag()),
    )
)
USER_CHANGE = closed(
    shape(
        "UserChange",
        "What is given is changed.",
        password=Optional(PASSWORD),
        email=Optional(EMAIL),
        role=Optional(one_of(Role)),
        enabled=Optional(flag("false: logs in no more")),
    )
)
USER = shape(
    "User",
    username=USERNAME,
    email=nullable(text()),
    role=one_of(Role),
    enabled=flag(),
    created_at=moment(),
    last_login_at=nullable(moment()),
)
USERS = listing("Users", USER)

NEW_KEY = closed(
    shape(
        "NewKey",
        name=USERNAME,
        scopes=array(one_of(Scope), "what it may do", minItems=1),
        functions=Optional(nullable(array(NAME, "for these only; null: for all", minItems=1))),
        expires_at=Optional(nullable(moment("null: never"))),
    )
)
KEY_FIELDS: dict[str, Any] = {
    "id": uuid(),
    "name": USERNAME,
    "prefix": text("how the key begins"),
    "scopes": array(one_of(Scope)),
    "functions": nullable(array(NAME)),
    "created_by": text(),
    "created_at": moment(),
    "expires_at": nullable(moment()),
    "last_used_at": nullable(moment()),
}
KEY = shape("Key", **KEY_FIELDS)
NEW_KEY_TOLD = shape("NewKeyTold", **KEY_FIELDS, key=text("told this once"))
KEYS = listing("Keys", KEY)
