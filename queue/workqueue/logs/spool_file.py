"""Spool files: lines that a worker has read and not stored yet, on disk, so that they survive a kill of the worker.

Each sandbox has two files that are written alternately: when one is full, the other is truncated. So at least the last
megabyte is on disk. The worker locks the files; once the lock is free, the housekeeper stores their lines
(logs/recovery.py).
"""

import fcntl
import json
import logging
import os
from pathlib import Path
from uuid import UUID

from workqueue.lifecycle import Claim
from workqueue.logs.buffer import LineBlock

log = logging.getLogger(__name__)

SUFFIX = ".lines"
FILE_BYTES = 1024 * 1024


class SpoolFile:
    """Spool the lines of one sandbox. The first line creates the files; only the worker's event loop uses them.

    sandbox: a number that no other sandbox of the worker has.
    """

    def __init__(self, folder: Path, worker: str, sandbox: int) -> None:
        self._paths = [folder / f"{worker}.{sandbox}-{number}{SUFFIX}" for number in range(2)]
        self._unstored: set[UUID] = set()
        self._fds: list[int] = []
        self._current = self._size = 0

    def append(self, claim: Claim, block: LineBlock) -> None:
        """Write lines, to be kept until `forget`. On a full disk they are only not kept: the attempt continues."""
        self._unstored.add(claim.request_id)
        owner = str(claim.request_id), claim.attempt
        row = json.dumps((*owner, block.number, block.time.isoformat(), block.stream, "\n".join(block.texts)))
        try:
            self._write(f"{row}\n".encode())
        except OSError as error:
            log.debug("lines not spooled", extra={"error": str(error)})

    def forget(self, claim: Claim) -> None:
        """Empty the files if PostgreSQL has all lines, now that it has those of this claim."""
        self._unstored.discard(claim.request_id)
        if self._size and not self._unstored:
            for fd in self._fds:
                os.ftruncate(fd, 0)
            self._size = 0

    def close(self) -> None:
        """Close the files. Lines that are not stored are left to the housekeeper."""
        for path, fd in zip(self._paths, self._fds, strict=False):  # none before the first line
            if not self._size:
                path.unlink(missing_ok=True)
            os.close(fd)
        self._fds = []

    def _write(self, data: bytes) -> None:
        if not self._fds:
            self._fds = [_create_locked(path) for path in self._paths]
        if self._size > FILE_BYTES:
            self._current, self._size = 1 - self._current, 0
            os.ftruncate(self._fds[self._current], 0)
        self._size += len(data)
        os.write(self._fds[self._current], data)


def _create_locked(path: Path) -> int:
    """Create a file and lock it before it gets its name: an unlocked one would look like that of a dead worker."""
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(path)
    except OSError:
        os.close(fd)
        raise
    return fd
