"""Where the unix sockets of a home lie. No port is opened: homes never meet, no other user gets in."""

import hashlib
import os
import stat
from pathlib import Path

from infra.errors import HomeError

# sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included.
LONGEST_PATH = 103
# .s.PGSQL.5432 is the longest name in the folder.
LONGEST_NAME = len("/.s.PGSQL.5432")


def socket_folder(home: Path) -> Path:
    """`sock` inside the home or, where a socket's path cannot say that, a folder in /tmp named after it.

    /tmp itself and not $TMPDIR: a second shell must find the same place.
    """
    inside = home / "sock"
    # To a PostgreSQL client a comma parts two hosts, and it knows no escape.
    if len(os.fsencode(inside)) + LONGEST_NAME <= LONGEST_PATH and b"," not in os.fsencode(inside):
        return inside
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path("/tmp") / f"localfn-{os.geteuid()}-{digest}"  # noqa: S108 - its owner is checked


def make_socket_folder(home: Path) -> Path:
    """The folder, made and ours alone. Raises HomeError when somebody else made it first."""
    folder = socket_folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise HomeError(f"{folder} belongs to somebody else; remove it or choose a shorter LOCALFN_HOME.")
    return folder
