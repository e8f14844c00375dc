"""The account without rights that sandboxes run as when the runtime is root.

The runtime works in the folders of that account as that account. User code may have put a symbolic link there, and root
would follow it anywhere.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNCHANGED = -1


@dataclass(frozen=True, slots=True)
class UnixUser:
    """An account other than the runtime's own. home: its folder.

    can_unshare_network: the system lets the account make a network namespace by itself.
    """

    name: str
    uid: int
    gid: int
    home: Path
    can_unshare_network: bool = True

    def __str__(self) -> str:
        return f"{self.name} (uid {self.uid})"

    def chown(self, target: int | str | Path) -> None:
        """Make the account the owner of a file. target: a path or a descriptor."""
        os.chown(target, self.uid, self.gid)


def impersonate(account: UnixUser | None) -> contextlib.AbstractContextManager[None]:
    """Access files in the block as this account, in this thread only. account: None for no change."""
    return impersonate_ids(account.uid, account.gid) if account is not None else contextlib.nullcontext()


@contextlib.contextmanager
def impersonate_ids(uid: int, gid: int) -> Iterator[None]:
    """Access files in the block with these ids. Linux and root only. Raises PermissionError when the kernel refuses.

    The ids hold for file access of this thread only (setfsuid(2)). Supplementary groups of the process would still
    count, so it must have none (`drop_supplementary_groups`).
    """
    libc = ctypes.CDLL(None)
    try:
        libc.setfsgid(gid)
        libc.setfsuid(uid)
        if (libc.setfsuid(UNCHANGED), libc.setfsgid(UNCHANGED)) != (uid, gid):
            raise PermissionError(f"cannot act as uid {uid}")
        yield
    finally:
        libc.setfsuid(os.geteuid())
        libc.setfsgid(os.getegid())


def drop_supplementary_groups() -> None:
    """Drop supplementary groups permanently, so that setfsuid() does not keep the access of root's groups."""
    os.setgroups([])
