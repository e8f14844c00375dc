"""Define the permissions of roles and scopes, and the principal of a call."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from schema.tables.auth import Role, Scope


class Permission(StrEnum):
    """Permissions; each route of the API requires one."""

    READ = "read"
    FOLLOW = "follow"  # read one request by its id, and its function
    INVOKE = "invoke"
    OPERATE = "operate"  # cancel, retry, delete, run a schedule, pause a queue
    MANAGE = "manage"  # create and change schedules
    ADMINISTER = "administer"  # users, API keys, audit; no scope includes it, so an API key cannot create API keys


PERMISSIONS_OF_ROLE: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ, Permission.FOLLOW}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.FOLLOW, Permission.INVOKE, Permission.OPERATE}),
    Role.ADMIN: frozenset(Permission),
}
PERMISSIONS_OF_SCOPE: dict[Scope, frozenset[Permission]] = {
    Scope.READ: frozenset({Permission.READ, Permission.FOLLOW}),
    Scope.INVOKE: frozenset({Permission.INVOKE, Permission.FOLLOW}),
    Scope.MANAGE: frozenset({Permission.OPERATE, Permission.MANAGE}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated user or program.

    actor: its name in the audit. role: of a user; None for a program. functions: those that an API key may call; None
    for all.
    """

    actor: str
    permissions: frozenset[Permission]
    role: Role | None = None
    functions: frozenset[str] | None = None

    def may(self, permission: Permission) -> bool:
        """Return True if the principal has this permission."""
        return permission in self.permissions

    def may_call(self, function: str) -> bool:
        """Return True if the principal may call this function."""
        return self.functions is None or function in self.functions


LOCAL = Principal("local", frozenset(Permission), Role.ADMIN)


def user_principal(username: str, role: Role) -> Principal:
    """Return the principal of a user with this role."""
    return Principal(username, PERMISSIONS_OF_ROLE[role], role)


def key_principal(name: str, scopes: Iterable[Scope], functions: Iterable[str] | None) -> Principal:
    """Return the principal of an API key with these scopes."""
    allowed = frozenset(permission for scope in scopes for permission in PERMISSIONS_OF_SCOPE[scope])
    return Principal(f"key:{name}", allowed, functions=None if functions is None else frozenset(functions))
