"""Keep a disk reserve for the embedded PostgreSQL, and define when the disk of LOCALFN_HOME counts as full.

On a full disk PostgreSQL accepts no new connections, and so the web process serves no pages. PostgreSQL may even exit,
and needs free space to start again. So `up` keeps a reserve file. It removes the file when the disk fills up, and
creates it again once there is space. Meanwhile the runtime accepts and starts no requests that would use this space.
"""

import os
import sys
import time
from pathlib import Path
from urllib.parse import unquote

from infra.config.settings import Settings
from infra.embedded.sockets import socket_folder
from infra.supervisor.output import print_message
from workqueue.files.disk_space import MIB, Disk

RESERVE_FILE = "reserve"
RESERVE_BYTES = 32 * MIB
RELEASE_BYTES = 16 * MIB  # with less free space, the reserve is released
FULL_BYTES = RESERVE_BYTES + RELEASE_BYTES  # so that a disk whose reserve was released still counts as full
RENEW_BYTES = 2 * FULL_BYTES
FULL_WITHOUT_DATABASE_BYTES = MIB  # a write of a working directory or an output file reports a full disk by itself
CHECK_INTERVAL_S = 0.5


def disk_of(settings: Settings) -> Disk:
    """Return the disk of LOCALFN_HOME; it reserves space for an embedded PostgreSQL."""
    return Disk(settings.home, FULL_BYTES if has_database(settings) else FULL_WITHOUT_DATABASE_BYTES)


def has_database(settings: Settings) -> bool:
    """Return True if PostgreSQL keeps its data in LOCALFN_HOME."""
    url = settings.database_url
    return url is None or str(socket_folder(settings.home)) in unquote(url)


class DiskReserve:
    """Manage the reserve file of one home, for `up`."""

    def __init__(self, home: Path) -> None:
        self._path = home / RESERVE_FILE
        self._disk = Disk(home, FULL_BYTES)
        self._look_at = 0.0

    def check(self) -> None:
        """Release or create the reserve as needed; at most twice a second, however often it is called."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + CHECK_INTERVAL_S
        free = self._disk.free_bytes()
        is_there = self._path.exists()
        if is_there and free < RELEASE_BYTES:
            self._path.unlink(missing_ok=True)
            limit = f"until {FULL_BYTES // MIB} MiB are free"
            print_message(f"the disk of {self._disk.folder} is full; requests are rejected {limit}")
        elif not is_there and free >= RENEW_BYTES:
            self._create()

    def _create(self) -> None:
        try:
            with self._path.open("xb") as file:
                _allocate(file.fileno())
        except OSError:  # another program used the space first; the next check tries again
            self._path.unlink(missing_ok=True)


def _allocate(fd: int) -> None:
    """Allocate the space: a sparse file would reserve nothing."""
    if sys.platform == "linux":
        os.posix_fallocate(fd, 0, RESERVE_BYTES)
    else:
        for _ in range(RESERVE_BYTES // MIB):
            os.write(fd, bytes(MIB))
