"""Users, sessions, API keys and the audit log."""

from typing import Any

from handlers.openapi.component import OptionalField, closed, component
from handlers.openapi.json_schema import array, boolean, date_time, enum, item_list, nullable, page, string, uuid
from handlers.resources.functions import NAME
from schema.tables.auth import Role, Scope
from workqueue import audit
from workqueue.auth.credentials import MAX_PASSWORD, MIN_PASSWORD
from workqueue.auth.permissions import Permission
from workqueue.auth.users import MAX_EMAIL

USERNAME = string(pattern="^[A-Za-z0-9_.@+-]{1,64}$")
PASSWORD = string(minLength=MIN_PASSWORD, maxLength=MAX_PASSWORD, format="password")

LOGIN = closed(component("Login", username=string(), password=string(format="password")))
PASSWORD_CHANGE = closed(component("PasswordChange", old_password=string(format="password"), password=PASSWORD))
SESSION = component(
    "Session",
    auth=enum(("required", "none")),
    user=nullable(component("SessionUser", username=string(), role=enum(Role))),
    permissions=array(enum(Permission), "the permissions of the client"),
)

EMAIL = nullable(string(maxLength=MAX_EMAIL, pattern="@"))
NEW_USER = closed(
    component(
        "NewUser",
        username=USERNAME,
        password=PASSWORD,
        email=OptionalField(EMAIL),
        role=OptionalField(enum(Role, "default: viewer")),
        enabled=OptionalField(boolean()),
    )
)
USER_CHANGE = closed(
    component(
        "UserChange",
        "The fields to change.",
        password=OptionalField(PASSWORD),
        email=OptionalField(EMAIL),
        role=OptionalField(enum(Role)),
        enabled=OptionalField(boolean("false: the user cannot log in")),
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
        scopes=array(enum(Scope), "the permissions of the key", minItems=1),
        functions=OptionalField(nullable(array(NAME, "the functions that the key is for; null: all", minItems=1))),
        expires_at=OptionalField(nullable(date_time("null: never"))),
    )
)
KEY_FIELDS: dict[str, Any] = {
    "id": uuid(),
    "name": USERNAME,
    "prefix": string("the first characters of the key"),
    "scopes": array(enum(Scope)),
    "functions": nullable(array(NAME)),
    "created_by": string(),
    "created_at": date_time(),
    "expires_at": nullable(date_time()),
    "last_used_at": nullable(date_time()),
}
KEY = component("Key", "An API key, without its secret.", **KEY_FIELDS)
CREATED_KEY = component("CreatedKey", **KEY_FIELDS, key=string("the key itself; no later answer contains it"))
KEYS = item_list("Keys", KEY)

AUDIT_ENTRY = component(
    "AuditEntry",
    id=uuid("UUIDv7: sorts by time"),
    time=date_time(),
    actor=string("a username, key:NAME, cli:ACCOUNT, local without login, or anonymous"),
    action=enum(audit.Action),
    subject=nullable(string("the id or name of the changed object")),
    details={"type": "object"},
)
AUDIT_ENTRIES = page("AuditEntries", AUDIT_ENTRY)
