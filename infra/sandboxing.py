"""Puts together how sandboxes are started: interpreter, SDK folder, and an environment without our own settings."""

import contextlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from infra.errors import SettingsError
from infra.settings import Settings
from workqueue import discovery
from workqueue.interpreter import Interpreter

OURS = frozenset({"DATABASE_URL", "REDIS_URL"})
OUR_PREFIXES = ("LOCALFN_", "POSTGRES_", "RQ_", "SUPERUSER_")


def interpreter(settings: Settings) -> Interpreter:
    """Raises SettingsError when LOCALFN_FUNCTIONS names what does not exist."""
    for source in discovery.missing(settings.functions):
        raise SettingsError(f"LOCALFN_FUNCTIONS: {source!r} is neither a folder nor a module.")
    return Interpreter(
        python=settings.python,
        sdk=sdk_folder(settings.home),
        environment=without_ours(os.environ),
        max_result_bytes=settings.max_result_bytes,
    )


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """What user code may see of the environment in which localfn was started."""
    return {
        name: value for name, value in environment.items() if name not in OURS and not name.startswith(OUR_PREFIXES)
    }


def sdk_folder(home: Path) -> Path:
    """A folder with nothing but the SDK in it: on a sandbox's path, it offers user code nothing else of ours."""
    found = find_spec("localfn")
    assert found is not None
    assert found.origin is not None
    folder, target = home / "sdk", Path(found.origin).parent
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
