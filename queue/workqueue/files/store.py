"""Store uploads and output files: the interface FileStore, and its implementation in a folder.

For the implementation on S3 see s3_store.py.
"""

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
    """A file in the store.

    name: the multipart name of an upload, or the name of an output. filename: the name for downloads. size: in bytes.
    sha256: in hex. stored_as: its key in the store.
    """

    name: str
    filename: str
    size: int
    content_type: str
    sha256: str
    stored_as: str


class StorageError(OSError):
    """The file store is unavailable, rejects a call, or has corrupt data. The client is not at fault."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EIO, message)


class FileStore(Protocol):
    """Where uploads and output files are stored."""

    def prepare(self, *, create: bool) -> None:
        """Check that the store is writable. create: create a missing folder or bucket.

        Raises BucketMissingError, StorageError.
        """

    def check_available(self) -> None:
        """Raise BucketMissingError or StorageError if the store is unavailable."""

    def put(self, request_id: UUID, part: str, name: str, source: IO[bytes]) -> StoredFile:
        """Store the content of `source`. part: "in" for uploads, else the attempt's number. Raises StorageError."""

    def open(self, stored_as: str, sha256: str = "", part: range | None = None) -> IO[bytes]:
        """Open a stored file at the start of `part`, or at its beginning. Raises FileNotFoundError.

        sha256: the expected checksum, in hex. If the store can verify it, the end of the file raises StorageError on a
        mismatch. part: the byte range to read; None for the whole file. The reader may continue behind the range.
        """

    def remove(self, request_id: UUID, part: str = "") -> None:
        """Remove a request's files, or those of one part. Missing files are not an error."""

    def request_ids(self, before: float) -> list[UUID]:
        """Return the requests whose first file is older than `before` (seconds since the epoch)."""

    def abort_unfinished(self, before: float) -> None:
        """Abort incomplete uploads older than `before`, which a killed process left behind."""


class FolderStore:
    """FileStore in a folder: `<folder>/<request id>/<part>/<name>`.

    disk: the folder's disk, if known. Storing a file on a full disk raises DiskFullError.
    """

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.folder, self._disk = folder, disk

    def prepare(self, *, create: bool) -> None:  # noqa: ARG002 - a folder costs nothing
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check_available(self) -> None:
        """Do nothing: the first file creates a missing folder."""

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
            os.fsync(file.fileno())  # the row that refers to the file is durable, so file and name must be, too
        _fsync_folder(target.parent)
        key = f"{request_id}/{part}/{name}"
        return StoredFile(name, name, size, guess_content_type(name), digest.hexdigest(), key)

    def open(self, stored_as: str, sha256: str = "", part: range | None = None) -> IO[bytes]:  # noqa: ARG002
        # sha256 is not verified: disks detect their own errors.
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
            with contextlib.suppress(ValueError, FileNotFoundError):  # another program's folder, or just removed
                request_id = UUID(path.name)
                if path.stat().st_mtime < before:
                    found.append(request_id)
        return found

    def abort_unfinished(self, before: float) -> None:
        """Do nothing: an incomplete file is removed with its request or attempt."""


def _create_folder(folder: Path) -> None:
    """Create a folder with its missing parents. Flush each parent, so that the names survive a crash of the machine."""
    if not folder.is_dir():
        _create_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _fsync_folder(folder.parent)


def _fsync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk: fsync on a file does not flush its name."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_if_possible(store: FileStore, request_id: UUID, part: str = "") -> None:
    """Remove files that are not needed anymore. If that fails, the cleaner removes them later."""
    try:
        store.remove(request_id, part)
    except OSError as error:
        log.warning("removal of files postponed", extra={"request_id": str(request_id), "error": str(error)})


def guess_content_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file that user code left. Raises OSError for links, pipes and devices.

    The folder must not be a link either: user code could redirect the runtime to its own files, such as /proc/self.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # O_NONBLOCK: without it, opening a pipe that has no writer would block forever.
        fd = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path.name} is not a regular file")
    return os.fdopen(fd, "rb")
