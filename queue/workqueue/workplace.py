"""Working directories: one per attempt, made before it and removed after it.

Making and removing one costs a journalling file system a tenth of a millisecond, as much as all else that a short
request needs. So the members of a group hand an empty one on: it is renamed.
"""

import os
import shutil
import stat
from pathlib import Path

MODE = 0o700


class Workplaces:
    """Those of one worker, which uses one at a time."""

    def __init__(self) -> None:
        self._spare: str | None = None

    def make(self, path: Path) -> None:
        """An empty directory at `path`. Raises OSError."""
        try:
            if self._spare is None:
                path.mkdir(mode=MODE)
            else:
                spare, self._spare = self._spare, None
                os.rename(spare, path)  # noqa: PTH104 - a Path for each would take as long as the call itself
        except OSError:
            # A claim that a crash of PostgreSQL forgot may have left a folder of the same attempt.
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True, mode=MODE)

    def clear(self, path: Path, *, hand_on: bool) -> None:
        """The attempt is over. hand_on: whether nobody is left who may still be at work in it."""
        if hand_on and self._spare is None and _is_like_new(path):
            self._spare = str(path)
        else:
            _remove(path)

    def put_away(self) -> None:
        """No other follows soon."""
        if self._spare is not None:
            _remove(Path(self._spare))
            self._spare = None


def _is_like_new(path: Path) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None and stat.S_IMODE(path.stat().st_mode) == MODE
    except OSError:
        return False


def _remove(path: Path) -> None:
    try:
        path.rmdir()  # most leave nothing in it
    except OSError:
        shutil.rmtree(path, ignore_errors=True)
