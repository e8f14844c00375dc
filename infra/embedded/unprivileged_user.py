"""Choose the user that runs PostgreSQL when localfn runs as root, which PostgreSQL refuses.

1. A user namespace that maps root to nobody: files stay owned by root, and a home below /root works.
2. Without user namespaces (containers): an existing unprivileged account, which then owns the data.
"""

import functools
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra.errors import ServerFailedError

USER_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class ServerUser:
    """Describe who runs a server. prefix: words before its command. owner: of its files; None: this process's user."""

    prefix: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None

    def take_ownership(self, path: Path) -> None:
        """Make the account the owner of everything below the path, and let it traverse the parent folder."""
        if self.owner is None:
            return
        path.parent.chmod(0o711)
        for folder, _, files in os.walk(path):
            for name in (".", *files):
                os.chown(Path(folder) / name, *self.owner, follow_symlinks=False)

    def check_access(self, *paths: Path) -> None:
        """Raise ServerFailedError when the account has no access to a path."""
        if self.owner is None:
            return
        for path in paths:
            if not _succeeds([*self.prefix, "test", "-x", str(path)]):
                name = pwd.getpwuid(self.owner[0]).pw_name
                raise ServerFailedError(
                    f"PostgreSQL does not run as root, and the account {name} has no access to {path}; "
                    "run localfn as an unprivileged user, or set DATABASE_URL."
                )


@functools.cache
def server_user() -> ServerUser:
    """Return the user for this machine; cached, since finding it starts a process."""
    if os.geteuid() != 0:
        return ServerUser()
    if _succeeds([*USER_NAMESPACE, "true"]):
        return ServerUser(prefix=USER_NAMESPACE)
    return unprivileged_account()


def unprivileged_account() -> ServerUser:
    """Return an existing unprivileged account. Raises ServerFailedError when this process cannot switch to one."""
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if shutil.which("setpriv"):
            words = ("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
            return ServerUser(prefix=words, owner=(entry.pw_uid, entry.pw_gid))
    raise ServerFailedError("PostgreSQL does not run as root; use an unprivileged user, or set DATABASE_URL.")


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
