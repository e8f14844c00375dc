"""The shapes of users, sessions and API keys."""

from typing import Any

from handlers.openapi.json_schema import (
    OptionalField,
    array,
    boolean,
    closed,
    component,
    date_time,
    enum,
    item_list,
    nullable,
    string,
    uuid,
)
from handlers.openapi.schemas_requests import NAME
from schema.tables.auth import Role, Scope
from workqueue.auth.credentials import MAX_PASSWORD, MIN_PASSWORD
from workqueue.auth.permissions import Permission
from workqueue.auth.users import MAX_EMAIL

USERNAME = string(pattern="^[A-Za-z0-9_.@+-]{1,64}$")
PASSWORD = string(minLength=MIN_PASSWORD, maxLength=MAX_PASSWORD, format="password")

LOGIN = closed(component("Login", username=string(), password=string(format="password")))
PASSWORD_CHANGE = closed(component("PasswordChange", old_password=string(format="password"), password=PASSWORD))
WHO = component("SessionUser", username=string(), role=enum(Role))
SESSION = component(
    "Session",
    auth=enum(("required", "none")),
    user=nullable(WHO),
    permissions=array(enum(Permission), "what whoever asks this may do"),
)

EMAIL = nullable(string(maxLength=MAX_EMAIL, pattern="@"))
NEW_USER = closed(
    component(
        "NewUser",
        username=USERNAME,
        password=PASSWORD,
        email=OptionalField(EMAIL),
        role=OptionalField(enum(Role, "viewer unless given")),
        enabled=OptionalField(boolean()),
    )
)
USER_CHANGE = closed(
    component(
        "UserChange",
        "What is given is changed.",
        password=OptionalField(PASSWORD),
        email=OptionalField(EMAIL),
        role=OptionalField(enum(Role)),
        enabled=OptionalField(boolean("false: logs in no more")),
    )
)
USER = component(
    "User",
    username=USERNAME,
    email=nullable(string()),
    role=enum(Role),
    enabled=boolean(),
    created_at=date_time(),
    last_login_at=nullable(date_time()),
)
USERS = item_list("Users", USER)

NEW_KEY = closed(
    component(
        "NewKey",
        name=USERNAME,
        scopes=array(enum(Scope), "what it may do", minItems=1),
        functions=OptionalField(nullable(array(NAME, "for these only; null: for all", minItems=1))),
        expires_at=OptionalField(nullable(date_time("null: never"))),
    )
)
KEY_FIELDS: dict[str, Any] = {
    "id": uuid(),
    "name": USERNAME,
    "prefix": string("how the key begins"),
    "scopes": array(enum(Scope)),
    "functions": nullable(array(NAME)),
    "created_by": string(),
    "created_at": date_time(),
    "expires_at": nullable(date_time()),
    "last_used_at": nullable(date_time()),
}
KEY = component("Key", **KEY_FIELDS)
NEW_KEY_TOLD = component("NewKeyTold", **KEY_FIELDS, key=string("told this once"))
KEYS = item_list("Keys", KEY)
