"""Where the unix sockets of a home lie. No port is opened: homes never meet, no other user gets in."""

import hashlib
import os
import re
import stat
from pathlib import Path

from infra.errors import HomeError

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included.
MAX_PATH_BYTES = 103
# .s.PGSQL.5432 is the longest name in the folder.
MAX_NAME_BYTES = len("/.s.PGSQL.5432")
# A socket's path travels through texts that know no escape. A PostgreSQL client parts hosts at a comma; Redis tells
# the path of each client in a line of words, and redis-py fails on a space in it.
SAFE_PATH = re.compile(rb"[A-Za-z0-9/._+@-]+")


def socket_folder(home: Path) -> Path:
    """Return `sock` inside the home or, where a socket's path cannot say that, a folder in /tmp named after it.

    /tmp itself and not $TMPDIR: a second shell must find the same place. Named after the resolved home: a link to it,
    or a relative path, must lead to the same place, too.
    """
    inside = home / "sock"
    path = os.fsencode(inside)
    if len(path) + MAX_NAME_BYTES <= MAX_PATH_BYTES and SAFE_PATH.fullmatch(path):
        return inside
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    return Path("/tmp") / f"localfn-{os.geteuid()}-{digest}"  # noqa: S108 - its owner is checked


def make_socket_folder(home: Path, owner: tuple[int, int] | None = None) -> Path:
    """Make the folder, for one account alone. Raises HomeError when another account made it first.

    owner: the user and group that a server of root runs as; None: those of this process.
    """
    folder = socket_folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in _owners(owner):
        raise HomeError(f"{folder} belongs to another account; remove it, or set LOCALFN_HOME to a shorter path.")
    if owner is not None:
        os.chown(folder, *owner, follow_symlinks=False)
    return folder


def _owners(owner: tuple[int, int] | None) -> set[int]:
    return {os.geteuid()} if owner is None else {os.geteuid(), owner[0]}
