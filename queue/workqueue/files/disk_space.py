"""Check the free space of a disk before a write, so that a database on the same disk does not run out of space.

A check takes microseconds and does no I/O.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


class DiskFullError(OSError):
    """The disk of a folder is full."""

    def __init__(self, folder: Path, free_bytes: int) -> None:
        super().__init__(errno.ENOSPC, f"the disk of {folder} is full, {free_bytes // MIB} MiB are free")


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that contains `folder`. It counts as full while fewer than `min_free_bytes` are free."""

    folder: Path
    min_free_bytes: int

    def free_bytes(self) -> int:
        """Return the bytes that an unprivileged user can still write; 0 if no inode is free."""
        stats = os.statvfs(self.folder)
        has_no_inodes = stats.f_files > 0 and stats.f_favail == 0
        return 0 if has_no_inodes else stats.f_bavail * stats.f_frsize

    def is_full(self) -> bool:
        """Return True if fewer than `min_free_bytes` are free."""
        try:
            return self.free_bytes() < self.min_free_bytes
        except OSError:  # the next write fails with the same error, and reports it
            return False

    def check(self) -> None:
        """Raise DiskFullError if the disk is full."""
        if self.is_full():
            raise DiskFullError(self.folder, self.free_bytes())
