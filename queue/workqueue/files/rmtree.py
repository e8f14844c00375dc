"""Removes a folder that user code filled, however deep: the standard library takes a call and a file for each level.

What is too deep is brought to the surface first. No link in it is followed, whatever changes meanwhile.
"""

import contextlib
import os
import shutil
from pathlib import Path
from uuid import uuid4

OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove_tree(path: Path) -> None:
    """What cannot be removed stays."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        with contextlib.suppress(OSError):
            _flatten(path)
        shutil.rmtree(path, ignore_errors=True)


def _flatten(path: Path) -> None:
    """Each folder below, wherever it was, lies at the top then, and none of them holds another."""
    top = os.open(path, OPEN_FLAGS)
    try:
        names = _list_folders(top)
        while names:
            with contextlib.suppress(OSError):  # it is gone meanwhile, or nobody may enter it
                names += _move_up(top, names.pop())
    finally:
        os.close(top)


def _move_up(top: int, name: str) -> list[str]:
    """Moves the folders in this one to the top; gives their new names."""
    raised = []
    below = os.open(name, OPEN_FLAGS, dir_fd=top)
    try:
        for found in _list_folders(below):
            with contextlib.suppress(OSError):
                os.rename(found, new := uuid4().hex, src_dir_fd=below, dst_dir_fd=top)
                raised.append(new)
    finally:
        os.close(below)
    return raised


def _list_folders(fd: int) -> list[str]:
    with os.scandir(fd) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
