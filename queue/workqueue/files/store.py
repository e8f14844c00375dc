"""Where uploaded and output files are kept: here a folder; in s3_store.py a bucket."""

import contextlib
import errno
import hashlib
import logging
import mimetypes
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from uuid import UUID

from localfn.file_names import file_name_problem as file_name_problem  # noqa: PLC0414 - re-exported
from workqueue.files.disk_space import Disk

log = logging.getLogger(__name__)

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the store. name: an upload's part or an output's name; filename: what a person calls it.

    size in bytes; sha256 in hex; stored_as: its key in the store.
    """

    name: str
    filename: str
    size: int
    content_type: str
    sha256: str
    stored_as: str


class StorageError(OSError):
    """The file store is away, refuses, or has something else than was stored: not the fault of who asks."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EIO, message)


class FileStore(Protocol):
    def prepare(self, *, create: bool) -> None:
        """It can be written. make: it is made when it is missing. Raises BucketMissingError, StorageError."""

    def check_available(self) -> None:
        """It is there. Raises BucketMissingError, StorageError."""

    def put(self, request_id: UUID, part: str, name: str, source: IO[bytes]) -> StoredFile:
        """Stores what `source` holds. part: "in" for uploads, else the attempt's number. Raises StorageError."""

    def open(self, stored_as: str, sha256: str = "", part: range | None = None) -> IO[bytes]:
        """Open a stored file, at its beginning or at a part of it. Raises FileNotFoundError.

        sha256: what it has to be, in hex; where that can be told, its end raises StorageError if it is not.
        part: the places of the bytes that are read; None for all. What lies behind them may be read as well.
        """

    def remove(self, request_id: UUID, part: str = "") -> None:
        """Removes the request's files, or those of one part; none is no error."""

    def request_ids(self, before: float) -> list[UUID]:
        """The requests that have files here and got their first before a time (seconds since the epoch)."""

    def abort_unfinished(self, before: float) -> None:
        """Removes what whoever was killed while storing it left behind before a time, where that is no file yet."""


class FolderStore:
    """Files below one folder: `<folder>/<request id>/<part>/<name>`.

    disk: the one that it lies on, where that is known. A file that would fill it raises DiskFullError.
    """

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.folder, self._disk = folder, disk

    def prepare(self, *, create: bool) -> None:  # noqa: ARG002 - a folder costs nothing
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check_available(self) -> None:
        """A folder that is not there is made with its first file."""

    def put(self, request_id: UUID, part: str, name: str, source: IO[bytes]) -> StoredFile:
        target = self.folder / str(request_id) / part / name
        _create_folder(target.parent)
        digest, size = hashlib.sha256(), 0
        with target.open("wb") as file:
            while chunk := source.read(CHUNK_BYTES):
                if self._disk is not None:
                    self._disk.check()
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())  # the row that names it is durable, so the file has to be, and its name, too
        _fsync_folder(target.parent)
        key = f"{request_id}/{part}/{name}"
        return StoredFile(name, name, size, guess_content_type(name), digest.hexdigest(), key)

    def open(self, stored_as: str, sha256: str = "", part: range | None = None) -> IO[bytes]:  # noqa: ARG002
        # sha256 is not looked at: disks check themselves.
        file = (self.folder / stored_as).open("rb")
        file.seek(part.start if part else 0)
        return file

    def remove(self, request_id: UUID, part: str = "") -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder / str(request_id) / part)

    def request_ids(self, before: float) -> list[UUID]:
        if not self.folder.is_dir():
            return []
        found = []
        for path in self.folder.iterdir():
            with contextlib.suppress(ValueError, FileNotFoundError):  # not ours, or just removed
                request_id = UUID(path.name)
                if path.stat().st_mtime < before:
                    found.append(request_id)
        return found

    def abort_unfinished(self, before: float) -> None:
        """Half a file is a file here: it goes with its request, or with its attempt."""


def _create_folder(folder: Path) -> None:
    """With those above it that are missing; each is known on the disk to the one that it stands in."""
    if not folder.is_dir():
        _create_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _fsync_folder(folder.parent)


def _fsync_folder(folder: Path) -> None:
    """What stands in it outlives a crash of the machine: to sync a file says nothing of its name."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_if_possible(store: FileStore, request_id: UUID, part: str = "") -> None:
    """Removes what nobody needs any more; what cannot be removed now is left to the sweep."""
    try:
        store.remove(request_id, part)
    except OSError as error:
        log.warning("files were left to the sweep", extra={"request_id": str(request_id), "error": str(error)})


def guess_content_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def open_regular(path: Path) -> IO[bytes]:
    """Opens a file that user code left, but no link, pipe or device in its place or its folder's. Raises OSError.

    By a link in place of the folder it could name files that are its reader's own affair: below /proc/self, say.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # O_NONBLOCK: opening a pipe nobody writes to would otherwise wait for ever.
        fd = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path.name} is not a regular file")
    return os.fdopen(fd, "rb")
