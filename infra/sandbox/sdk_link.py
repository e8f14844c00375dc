"""Where the SDK lies, and a folder that offers it to sandboxes."""

import contextlib
import os
from importlib.util import find_spec
from pathlib import Path


def source() -> Path:
    """The folder of the package."""
    found = find_spec("localfn")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def link(home: Path) -> Path:
    """A folder with nothing but the SDK in it: on a sandbox's path, it offers user code nothing else of ours."""
    folder, target = home / "sdk", source()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    link = folder / "localfn"
    if not (link.is_symlink() and link.readlink() == target):
        # Several processes may come by at once: each makes a link of its own and moves it into place.
        fresh = folder / f"localfn.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        fresh.symlink_to(target)
        fresh.replace(link)
    return folder
