"""Spool files: lines that a worker has read and not stored yet, on disk, so that they survive a kill of the worker.

A worker has two files and writes them alternately: when one is full, it truncates the other. So at least the last
megabyte is on disk. The worker locks the files; once the lock is free, the housekeeper stores their lines
(logs/recovery.py).
"""

import fcntl
import json
import logging
import os
from pathlib import Path

from workqueue.lifecycle import Claim
from workqueue.logs.buffer import LineBlock

log = logging.getLogger(__name__)

SUFFIX = ".lines"
FILE_BYTES = 1024 * 1024


class SpoolFile:
    """Spool the lines of one worker. The first line creates the files; only the worker's own thread uses them."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._paths = [folder / f"{worker}.{number}{SUFFIX}" for number in range(2)]
        self._fds: list[int] = []
        self._current = self._size = 0

    def append(self, claim: Claim, block: LineBlock) -> None:
        """Write lines, to be kept until `clear`. On a full disk they are only not kept: the attempt continues."""
        owner = str(claim.request_id), claim.attempt
        row = json.dumps((*owner, block.number, block.time.isoformat(), block.stream, "\n".join(block.texts)))
        try:
            self._write(f"{row}\n".encode())
        except OSError as error:
            log.debug("lines not spooled", extra={"error": str(error)})

    def clear(self) -> None:
        """Empty the files: PostgreSQL has all lines."""
        for fd in self._fds if self._size else ():
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
