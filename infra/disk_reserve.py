"""The disk of LOCALFN_HOME: when it counts as full, and a reserve for the embedded PostgreSQL.

PostgreSQL answers no new connection, and so no page, once a disk has not a byte left; it may even end, and then needs
room to start. So `up` keeps a file in reserve. It removes the file when the disk runs full, and makes it
again once there is room. Meanwhile nothing is accepted or begun that would use this room up.
"""

import os
import sys
import time
from pathlib import Path
from urllib.parse import unquote

from infra.config.settings import Settings
from infra.embedded.sockets import socket_folder
from infra.supervisor.output import say
from workqueue.files.disk_space import MIB, Disk

RESERVE_FILE = "reserve"
RESERVE_BYTES = 32 * MIB
RELEASE_BYTES = 16 * MIB  # with less free, the reserve is released
FULL_BYTES = RESERVE_BYTES + RELEASE_BYTES  # so that a disk whose reserve was released still counts as full
RENEW_BYTES = 2 * FULL_BYTES
FULL_WITHOUT_DATABASE_BYTES = MIB  # working directories and output files alone find out for themselves
CHECK_INTERVAL_S = 0.5


def disk_of(settings: Settings) -> Disk:
    """Return the disk of LOCALFN_HOME, which has to leave room for an embedded PostgreSQL if there is one."""
    return Disk(settings.home, FULL_BYTES if has_database(settings) else FULL_WITHOUT_DATABASE_BYTES)


def has_database(settings: Settings) -> bool:
    """Return whether PostgreSQL keeps its data in LOCALFN_HOME."""
    url = settings.database_url
    return url is None or str(socket_folder(settings.home)) in unquote(url)


class DiskReserve:
    """The file in reserve of one home. Looked after by `up`."""

    def __init__(self, home: Path) -> None:
        self._path = home / RESERVE_FILE
        self._disk = Disk(home, FULL_BYTES)
        self._look_at = 0.0

    def check(self) -> None:
        """Release the reserve, or make it, as the disk demands; twice a second, however often it is called."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + CHECK_INTERVAL_S
        free = self._disk.free_bytes()
        is_there = self._path.exists()
        if is_there and free < RELEASE_BYTES:
            self._path.unlink(missing_ok=True)
            say(f"the disk of {self._disk.folder} is full: nothing is accepted until {FULL_BYTES // MIB} MiB are free")
        elif not is_there and free >= RENEW_BYTES:
            self._create()

    def _create(self) -> None:
        try:
            with self._path.open("xb") as file:
                _allocate(file.fileno())
        except OSError:  # another program took the room first; the next look tries again
            self._path.unlink(missing_ok=True)


def _allocate(fd: int) -> None:
    """Take the room for good: a file that is only long would have none."""
    if sys.platform == "linux":
        os.posix_fallocate(fd, 0, RESERVE_BYTES)
    else:
        for _ in range(RESERVE_BYTES // MIB):
            os.write(fd, bytes(MIB))
