"""The room on the disk of a folder: asked before a write, so that the database beside it never runs out of room itself.

Asking costs microseconds and no I/O.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


class DiskFullError(OSError):
    """The disk of a folder has no room left."""

    def __init__(self, folder: Path, free_bytes: int) -> None:
        super().__init__(errno.ENOSPC, f"the disk of {folder} is full, {free_bytes // MIB} MiB are free")


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of `folder`. It counts as full while less than `min_free_bytes` are free."""

    folder: Path
    min_free_bytes: int

    def free_bytes(self) -> int:
        """Return what an ordinary account may still write; 0 when no further file can be made."""
        found = os.statvfs(self.folder)
        has_no_names = found.f_files > 0 and found.f_favail == 0
        return 0 if has_no_names else found.f_bavail * found.f_frsize

    def is_full(self) -> bool:
        try:
            return self.free_bytes() < self.min_free_bytes
        except OSError:  # it cannot be asked: the next write meets the reason
            return False

    def check(self) -> None:
        """Raise DiskFullError while it is full."""
        if self.is_full():
            raise DiskFullError(self.folder, self.free_bytes())
