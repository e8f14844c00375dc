"""The working directory of a worker. Each request finds it empty.

Creating and removing a directory takes a tenth of a millisecond on a journaling file system, as much as the rest of a
short request. So a request that leaves the directory empty and unchanged passes it on to the next one. Otherwise the
directory is removed, and the next request gets another name: processes that user code left behind cannot disturb it.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from workqueue.files.rmtree import remove_tree
from workqueue.sandboxes.unix_user import UnixUser, impersonate

SUFFIX = ".work"
WORKER_SEPARATOR = "+"  # in a directory's name, between the worker's name and a random suffix
MODE = 0o700  # the mode that tempfile sets


class WorkingDirectory:
    """One directory of one worker, for one request at a time. Its name contains the worker's name (cleaner.py).

    account: the Unix user that runs the worker's sandboxes and owns the directory; None for the runtime's own user.
    """

    def __init__(self, folder: Path, worker: str, account: UnixUser | None = None) -> None:
        self._folder, self._worker, self._account = folder, worker, account
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    @property
    def path(self) -> Path:
        """Return the directory that `prepare` created."""
        assert self._directory is not None
        return Path(self._directory.name)

    def prepare(self, *, is_started: bool = False) -> None:
        """Provide an empty directory. Raises OSError.

        is_started: the request already runs; keep the files that it has left there.
        """
        # The cleaner may have removed the directory of a worker that was frozen for long. A process that an earlier
        # request left behind may have created files since the last check.
        if self._directory is not None and _is_unchanged(self._directory.name, may_have_files=is_started):
            return
        self.remove()
        self._folder.mkdir(parents=True, exist_ok=True)
        prefix = f"{self._worker}{WORKER_SEPARATOR}"
        self._directory = tempfile.TemporaryDirectory(SUFFIX, prefix, self._folder, ignore_cleanup_errors=True)
        if self._account is not None:
            self._account.chown(self._directory.name)

    def as_sandbox_user(self) -> contextlib.AbstractContextManager[None]:
        """Limit this thread, in the block, to the file permissions of a sandbox."""
        return impersonate(self._account)

    def clear(self, *, is_like_new: bool) -> None:
        """Clean up after a request. is_like_new: it left the directory empty, and no process in it."""
        if not is_like_new:
            self.remove()

    def remove(self) -> None:
        """Remove the directory. If that fails, the cleaner removes it after the worker has exited."""
        directory, self._directory = self._directory, None
        if directory is not None:
            remove_tree(Path(directory.name))
            with contextlib.suppress(OSError, RecursionError):  # its finalizer finds nothing to remove
                directory.cleanup()
            with contextlib.suppress(OSError):  # usually it does not exist
                Path(directory.name).unlink()  # a file that user code created in place of the directory


def worker_of(path: Path) -> str | None:
    """Return the name of the worker that owns this directory; None if it is not a working directory."""
    name, separator, _ = path.name.rpartition(WORKER_SEPARATOR)
    return name if separator and path.name.endswith(SUFFIX) else None


def _is_unchanged(path: str, *, may_have_files: bool) -> bool:
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISDIR(mode) or stat.S_IMODE(mode) != MODE:
            return False
        with os.scandir(path) as entries:
            return may_have_files or not any(entries)
    except OSError:
        return False
