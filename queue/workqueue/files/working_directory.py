"""The working directory of a worker: each request that it runs finds it new and empty, and leaves nothing in it.

Making and removing one costs a journalling file system a tenth of a millisecond, as much as all else that a short
request needs. So one that was left as it was found is there for the next; it goes when no other follows soon. One that
was left in any other way is removed, and the next has another name: whatever user code has put in its place, or
still does in it, is in nobody's way.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from workqueue.files.rmtree import remove_tree
from workqueue.sandboxes.user import UnixUser, impersonate

SUFFIX = ".work"
WORKER_SEPARATOR = "+"  # in a directory's name, between its worker's and what makes it unique
MODE = 0o700  # what tempfile gives


class WorkingDirectory:
    """One worker uses one directory, for one request at a time; the name tells whose it is (sweep.py).

    account: who runs its sandboxes, and owns it then.
    """

    def __init__(self, folder: Path, worker: str, account: UnixUser | None = None) -> None:
        self._folder, self._worker, self._account = folder, worker, account
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    @property
    def path(self) -> Path:
        """The directory that was prepared."""
        assert self._directory is not None
        return Path(self._directory.name)

    def prepare(self, *, is_started: bool = False) -> None:
        """It is there, and like new, or as its request has left it when that is_begun. Raises OSError."""
        # A worker that was frozen for long may have lost it to the sweep; and what a request before has left running
        # may have put something there since it was looked at.
        if self._directory is not None and _is_unchanged(self._directory.name, may_hold=is_started):
            return
        self.remove()
        self._folder.mkdir(parents=True, exist_ok=True)
        prefix = f"{self._worker}{WORKER_SEPARATOR}"
        self._directory = tempfile.TemporaryDirectory(SUFFIX, prefix, self._folder, ignore_cleanup_errors=True)
        if self._account is not None:
            self._account.chown(self._directory.name)

    def acting(self) -> contextlib.AbstractContextManager[None]:
        """In the block this thread may do in the directory what a sandbox may, and no more."""
        return impersonate(self._account)

    def clear(self, *, is_like_new: bool) -> None:
        """A request is over. is_like_new: it left the directory as it had found it, and nobody in it."""
        if not is_like_new:
            self.remove()

    def remove(self) -> None:
        """What cannot be removed stays until its worker is gone, and the sweep comes."""
        directory, self._directory = self._directory, None
        if directory is not None:
            remove_tree(Path(directory.name))
            with contextlib.suppress(OSError, RecursionError):  # what it removes at the end of its life is gone
                directory.cleanup()
            with contextlib.suppress(OSError):  # it is gone, as it should be
                Path(directory.name).unlink()  # what user code put in its place


def worker_of(path: Path) -> str | None:
    """The worker whose directory this is; None when it is nobody's."""
    name, plus, _ = path.name.rpartition(WORKER_SEPARATOR)
    return name if plus and path.name.endswith(SUFFIX) else None


def _is_unchanged(path: str, *, may_hold: bool) -> bool:
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISDIR(mode) or stat.S_IMODE(mode) != MODE:
            return False
        with os.scandir(path) as entries:
            return may_hold or not any(entries)
    except OSError:
        return False
