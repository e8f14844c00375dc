"""Locate the SDK, and offer it to sandboxes in a folder of its own."""

import contextlib
import os
from importlib.util import find_spec
from pathlib import Path


def sdk_folder() -> Path:
    """Return the folder of the package `localfn`."""
    found = find_spec("localfn")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def ensure_link(home: Path) -> Path:
    """Return a folder that contains only a link to the SDK: sandboxes must not import other packages of the runtime."""
    folder, target = home / "sdk", sdk_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    link = folder / "localfn"
    if not (link.is_symlink() and link.readlink() == target):
        # Several processes may do this at once: each creates its own link and renames it into place.
        fresh = folder / f"localfn.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        fresh.symlink_to(target)
        fresh.replace(link)
    return folder
