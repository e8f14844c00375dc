"""Mount small disks in memory for tests that fill one. Only root can mount."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from workqueue.files.disk_space import MIB, Disk


@contextmanager
def mount_disk(folder: Path, size_mb: int) -> Iterator[bool]:
    """Mount a disk at `folder`, and unmount it at the end of the block. Yield False if this account may not."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0711", "tmpfs", str(folder)]
    try:
        yield os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    finally:
        if folder.is_mount():
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """Mount a disk at `folder`; skip the test if this account may not."""
    folder.mkdir(exist_ok=True)
    with mount_disk(folder, size_mb) as is_small:
        if not is_small:
            pytest.skip("a small disk needs root with the right to mount")
        yield folder


def fill(folder: Path) -> Path:
    """Fill the disk. Space that is freed meanwhile, such as a released reserve, stays free."""
    left = Disk(folder, 0).free_bytes()
    with tempfile.NamedTemporaryFile("wb", 0, dir=folder, prefix="filler-", delete=False) as file, suppress(OSError):
        while left > 0:
            left -= file.write(b"x" * min(MIB, left))
    return Path(file.name)
