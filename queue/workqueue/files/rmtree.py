"""Remove a folder that user code filled, however deeply nested.

shutil.rmtree needs a recursive call and an open file for each level. So a tree that is too deep is flattened first.
Symbolic links are never followed, even if user code replaces folders during the removal.
"""

import contextlib
import os
import shutil
from pathlib import Path
from uuid import uuid4

OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove_tree(path: Path) -> None:
    """Remove a folder with everything in it. Ignore errors: anything that cannot be removed stays."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        with contextlib.suppress(OSError):
            _flatten(path)
        shutil.rmtree(path, ignore_errors=True)


def _flatten(path: Path) -> None:
    """Move all nested folders to the top level, so that no folder contains another."""
    top = os.open(path, OPEN_FLAGS)
    try:
        names = _list_folders(top)
        while names:
            with contextlib.suppress(OSError):  # the folder has disappeared, or cannot be opened
                names += _move_up(top, names.pop())
    finally:
        os.close(top)


def _move_up(top: int, name: str) -> list[str]:
    """Move the folders in this folder to the top level. Return their new names."""
    moved = []
    subfolder = os.open(name, OPEN_FLAGS, dir_fd=top)
    try:
        for child in _list_folders(subfolder):
            with contextlib.suppress(OSError):
                os.rename(child, new := uuid4().hex, src_dir_fd=subfolder, dst_dir_fd=top)
                moved.append(new)
    finally:
        os.close(subfolder)
    return moved


def _list_folders(fd: int) -> list[str]:
    with os.scandir(fd) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
