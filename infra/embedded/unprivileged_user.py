"""PostgreSQL refuses to run as root. This decides what a root process puts before its command lines instead.

1. A user namespace in which we are nobody: files stay root's own, and even a home below /root works.
2. Where namespaces are refused (containers): an existing ordinary account, which then owns the data.
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
    """Who a server runs as: the words before its command, and the owner its files need (None: ours)."""

    prefix: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None

    def take_ownership(self, path: Path) -> None:
        """Make the account the owner of everything below the path; let it pass through the folder above."""
        if self.owner is None:
            return
        path.parent.chmod(0o711)
        for folder, _, files in os.walk(path):
            for name in (".", *files):
                os.chown(Path(folder) / name, *self.owner, follow_symlinks=False)

    def check_access(self, *paths: Path) -> None:
        """Raises ServerFailedError when the account cannot get to a path."""
        if self.owner is None:
            return
        for path in paths:
            if not _succeeds([*self.prefix, "test", "-x", str(path)]):
                name = pwd.getpwuid(self.owner[0]).pw_name
                raise ServerFailedError(
                    f"PostgreSQL does not run as root, and the account {name} cannot reach {path}; "
                    "run localfn as an ordinary user, or set DATABASE_URL."
                )


@functools.cache
def server_user() -> ServerUser:
    """The account for this machine and user; found out once, it costs a process."""
    if os.geteuid() != 0:
        return ServerUser()
    if _succeeds([*USER_NAMESPACE, "true"]):
        return ServerUser(prefix=USER_NAMESPACE)
    return unprivileged_account()


def unprivileged_account() -> ServerUser:
    """An existing account that is not root. Raises ServerFailedError when we cannot become one."""
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if shutil.which("setpriv"):
            words = ("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
            return ServerUser(prefix=words, owner=(entry.pw_uid, entry.pw_gid))
    raise ServerFailedError("PostgreSQL does not run as root; run localfn as an ordinary user, or set DATABASE_URL.")


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
