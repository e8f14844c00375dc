"""The working directory of a worker: each request that it runs finds it new and empty, and leaves nothing in it.

Making and removing one costs a journalling file system a tenth of a millisecond, as much as all else that a short
request needs. So one that was left as it was found is there for the next; it goes when no other follows soon.
"""

import contextlib
import shutil
from pathlib import Path

SUFFIX = ".work"
MODE = 0o700


class Workplace:
    """One worker uses one directory, for one request at a time; the name tells whose it is (sweep.py)."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.path = folder / f"{worker}{SUFFIX}"
        self._is_ready = False

    def prepare(self) -> None:
        """It is there, and like new. Raises OSError."""
        # A worker that was frozen for long may have lost it to the sweep.
        if not (self._is_ready and self.path.is_dir()):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self.path)
            self.path.mkdir(parents=True, mode=MODE)
            self._is_ready = True

    def clear(self, *, is_like_new: bool) -> None:
        """A request is over. is_like_new: it left the directory as it had found it, and nobody in it."""
        if not is_like_new:
            self.put_away()

    def put_away(self) -> None:
        if self._is_ready:
            self._is_ready = False
            try:
                self.path.rmdir()
            except OSError:
                shutil.rmtree(self.path, ignore_errors=True)
