"""The small disk of a stage's LOCALFN_HOME, and the reserve that `localfn up` keeps on it for PostgreSQL."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.disk_reserve import DiskReserve
from tests.support.disks import mount_disk

# For a new cluster, its WAL up to WAL_LIMIT and a third more, the reserve, and the room below which a disk counts as
# full. The fault writes the rest, into memory.
SIZE_MB = 400
WAL_LIMIT = ("min_wal_size=80MB", "max_wal_size=128MB")
LOOK_S = 0.1


@contextmanager
def small_disk(home: Path, *, keep: bool) -> Iterator[None]:
    """Mount the disk at `home`, where this account may. keep: leave a copy of what it held in its place."""
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
    """Look after the reserve as `localfn up` does."""
    stopping, kept = threading.Event(), DiskReserve(home)

    def look() -> None:
        while not stopping.wait(LOOK_S):
            kept.check()

    thread = threading.Thread(target=look, name="reserve", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
