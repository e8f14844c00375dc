"""The lines that requests print, in files beside PostgreSQL: a worker reads them at once and stores them later.

Two files, written in turns: when one is full, the other begins anew. So the last megabyte is there, whatever was
printed. Their lock says that the worker lives; once that is gone, the scout stores what it had not got to (salvage.py).
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
    """That of one worker, made at the first line. Only the thread that reads output uses it."""

    def __init__(self, folder: Path, worker: str) -> None:
        self._paths = [folder / f"{worker}.{number}{SUFFIX}" for number in range(2)]
        self._fds: list[int] = []
        self._place = self._size = 0

    def append(self, claim: Claim, block: LineBlock) -> None:
        """Until `clear`. A disk that is full costs what this would have saved, and nothing else."""
        about = str(claim.request_id), claim.attempt
        row = json.dumps((*about, block.number, block.time.isoformat(), block.stream, "\n".join(block.texts)))
        try:
            self._write(f"{row}\n".encode())
        except OSError as error:
            log.debug("lines are not kept on disk", extra={"error": str(error)})

    def clear(self) -> None:
        """PostgreSQL has them all."""
        for fd in self._fds if self._size else ():
            os.ftruncate(fd, 0)
        self._size = 0

    def close(self) -> None:
        """The worker ends. What PostgreSQL has not got is left to the scout."""
        for path, fd in zip(self._paths, self._fds, strict=False):  # none before the first line
            if not self._size:
                path.unlink(missing_ok=True)
            os.close(fd)
        self._fds = []

    def _write(self, data: bytes) -> None:
        if not self._fds:
            self._fds = [_create_locked(path) for path in self._paths]
        if self._size > FILE_BYTES:
            self._place, self._size = 1 - self._place, 0
            os.ftruncate(self._fds[self._place], 0)
        self._size += len(data)
        os.write(self._fds[self._place], data)


def _create_locked(path: Path) -> int:
    """Locked before it has its name: whoever finds it unlocked may take it for a dead worker's."""
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(path)
    except OSError:
        os.close(fd)
        raise
    return fd
