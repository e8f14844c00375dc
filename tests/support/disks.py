"""Small disks in memory, for tests that fill one. Only root can mount them."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from workqueue.files.disk_space import MIB, Disk


@contextmanager
def mounted(folder: Path, size_mb: int) -> Iterator[bool]:
    """Mount a disk of that size at `folder`, and unmount it at the end. Yield False where this account may not."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0711", "tmpfs", str(folder)]
    try:
        yield os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    finally:
        if folder.is_mount():
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """Mount a disk of that size at `folder`. Skip the test where this account may not."""
    folder.mkdir(exist_ok=True)
    with mounted(folder, size_mb) as is_small:
        if not is_small:
            pytest.skip("a small disk needs a root that may mount one")
        yield folder


def fill(folder: Path) -> Path:
    """Write all the room that there is now, and none that is made meanwhile: a reserve that is released, say."""
    left = Disk(folder, 0).free_bytes()
    with tempfile.NamedTemporaryFile("wb", 0, dir=folder, prefix="filler-", delete=False) as file, suppress(OSError):
        while left > 0:
            left -= file.write(b"x" * min(MIB, left))
    return Path(file.name)
