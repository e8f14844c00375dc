"""Mount a small disk for LOCALFN_HOME, and keep the reserve for PostgreSQL on it, as `localfn up` does."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.disk_reserve import DiskReserve
from tests.support.disks import mount_disk

# Room for a new cluster, its WAL up to WAL_LIMIT and a third more, the reserve, and the space below which a disk counts
# as full. The fault fills the rest, in memory.
SIZE_MB = 400
WAL_LIMIT = ("min_wal_size=80MB", "max_wal_size=128MB")
POLL_S = 0.1


@contextmanager
def small_disk(home: Path, *, keep: bool) -> Iterator[None]:
    """Mount the disk at `home`, if this account may.

    keep: replace the disk by a copy of its content at the end.
    """
    copy = home.with_name(f"{home.name}.copy")
    with mount_disk(home, SIZE_MB) as is_small:
        try:
            yield
        finally:
            if keep and is_small:
                subprocess.run(["cp", "-a", str(home), str(copy)], check=True)
    if copy.exists():
        home.rmdir()
        copy.rename(home)


@contextmanager
def reserve(home: Path) -> Iterator[None]:
    """Maintain the reserve as `localfn up` does."""
    stopping, kept = threading.Event(), DiskReserve(home)

    def look() -> None:
        while not stopping.wait(POLL_S):
            kept.check()

    thread = threading.Thread(target=look, name="reserve", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
