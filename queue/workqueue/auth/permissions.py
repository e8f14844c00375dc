"""What each role and each scope allows: pure tables, and the one value that stands for who calls."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from schema.tables.auth import Role, Scope


class Permission(StrEnum):
    """What a call needs. Each route of the API names one."""

    READ = "read"
    FOLLOW = "follow"  # one request whose id one knows, and its function
    INVOKE = "invoke"
    OPERATE = "operate"  # cancel, retry, delete, run a schedule, pause a queue
    MANAGE = "manage"  # make and change schedules
    ADMINISTER = "administer"  # users, keys, the audit; of a person only: a key makes no keys


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
    """Who calls. actor: as the audit names him. functions: those that a key is for; None: all.

    role: a user's; None for a program.
    """

    actor: str
    permissions: frozenset[Permission]
    role: Role | None = None
    functions: frozenset[str] | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def may_call(self, function: str) -> bool:
        return self.functions is None or function in self.functions


LOCAL = Principal("local", frozenset(Permission), Role.ADMIN)


def user_principal(username: str, role: Role) -> Principal:
    return Principal(username, PERMISSIONS_OF_ROLE[role], role)


def key_principal(name: str, scopes: Iterable[Scope], functions: Iterable[str] | None) -> Principal:
    allowed = frozenset(permission for scope in scopes for permission in PERMISSIONS_OF_SCOPE[scope])
    return Principal(f"key:{name}", allowed, functions=None if functions is None else frozenset(functions))
