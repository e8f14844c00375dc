"""Choose the folder of a home's Unix sockets. No port is opened: homes are separate, and other users have no access."""

import os
import re
import stat
from pathlib import Path

from infra.errors import HomeError

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, including the terminating zero.
MAX_PATH_BYTES = 103
# The longest file name in the folder.
MAX_NAME_BYTES = len("/.s.PGSQL.5432")
# Some texts cannot escape a socket's path: PostgreSQL clients split hosts at commas, Redis prints the path of each
# client in a line of words, and redis-py fails on a space in it.
SAFE_PATH = re.compile(rb"[A-Za-z0-9/._+@-]+")


def socket_folder(home: Path) -> Path:
    """Return `sock` inside the home; if that path is too long or unsafe, return a folder in /tmp named after the home.

    /tmp, not $TMPDIR: a second shell must find the same place. The name uses the resolved home: a link to the home, or
    a relative path, must lead to the same place.
    """
    inside = home / "sock"
    path = os.fsencode(inside)
    if len(path) + MAX_NAME_BYTES <= MAX_PATH_BYTES and SAFE_PATH.fullmatch(path):
        return inside
    import hashlib  # loads OpenSSL, which most homes do not need

    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    return Path("/tmp") / f"localfn-{os.geteuid()}-{digest}"  # noqa: S108 - its owner is checked


def make_socket_folder(home: Path, owner: tuple[int, int] | None = None) -> Path:
    """Create the folder for one account. Raises HomeError when another account created it first.

    owner: user and group of the server when localfn runs as root; None: this process.
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
