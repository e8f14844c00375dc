"""Who sandboxes run as when we are root: an account that has nothing.

What we do in a folder of that account's we do as that account: its code may have put a link there, and root follows
it anywhere.
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
    """Somebody else than we are. name: what programs show; home: its folder.

    parts_network: the system lets it leave the network by itself.
    """

    name: str
    uid: int
    gid: int
    home: Path
    can_unshare_network: bool = True

    def __str__(self) -> str:
        return f"{self.name} (uid {self.uid})"

    def chown(self, target: int | str | Path) -> None:
        """Makes it the owner of a file: its path, or a descriptor of it."""
        os.chown(target, self.uid, self.gid)


def impersonate(account: UnixUser | None) -> contextlib.AbstractContextManager[None]:
    """As whom this thread reads and writes files in the block; None: as we are."""
    return impersonate_ids(account.uid, account.gid) if account is not None else contextlib.nullcontext()


@contextlib.contextmanager
def impersonate_ids(uid: int, gid: int) -> Iterator[None]:
    """Linux, and for root, only. Raises PermissionError when the kernel does not let us.

    Only this thread, and only what it does with files (setfsuid(2)). The process must have no further groups
    (`leave_groups`): they would go on to count.
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
    """For good: nobody who acts for another account is let in by a group of root's."""
    os.setgroups([])
