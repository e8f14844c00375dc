"""Puts together how sandboxes are started: interpreter, SDK folder, and an environment without our own settings."""

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from infra.config.home import Home
from infra.config.settings import DEFAULT_FUNCTIONS, Settings
from infra.errors import SettingsError
from infra.sandbox import sdk_link, user_selection
from workqueue.functions import discovery
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.user import UnixUser, drop_supplementary_groups

log = logging.getLogger(__name__)

OURS = frozenset({"DATABASE_URL", "REDIS_URL"})
OUR_PREFIXES = ("LOCALFN_", "POSTGRES_", "RQ_", "SUPERUSER_")
# Folders of whoever started us.
HIS = frozenset({"MAIL", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"})
TEMPORARY = ("TMPDIR", "TEMP", "TMP")


def interpreter(settings: Settings) -> Interpreter:
    """Decides who runs functions, too, and lets them in. Raises SettingsError, SandboxUserError."""
    check_functions(settings)
    found = user_selection.find_user(settings)
    runs_them = user_selection.choose_user(settings, found)
    if found.problem:
        log.warning("functions run as root: %s", found.problem)
    for path in found.open:
        log.warning("functions can read a file with secrets in it; chmod 600 it", extra={"path": path})
    folder, environment = sdk_link.link(settings.home), without_runtime_variables(os.environ)
    if runs_them is not None:
        drop_supplementary_groups()
        Home(settings.home).admit_sandbox_user(runs_them, folder)
        environment = make_interpreter(runs_them, environment)
    return Interpreter(
        python=settings.python,
        sdk=folder,
        environment=environment,
        max_result_bytes=settings.max_result_bytes,
        account=runs_them,
    )


def check_functions(settings: Settings) -> None:
    """Raise SettingsError when LOCALFN_FUNCTIONS names what does not exist. The default folder may be made later."""
    for source in discovery.find_missing_sources(settings.functions):
        if source == DEFAULT_FUNCTIONS:
            continue
        raise SettingsError(f"LOCALFN_FUNCTIONS: {source!r} is neither a folder nor a module.")


def make_interpreter(account: UnixUser, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables as they are for this account."""
    kept = {name: value for name, value in environment.items() if name not in HIS}
    for name in TEMPORARY:
        if name in kept and not _everybody_writes(kept[name]):
            del kept[name]
    if account.name == user_selection.NAME:
        # Nobody installed anything in its home: what lies there some function left, and it runs in no other's start.
        kept["PYTHONNOUSERSITE"] = "1"
    return kept | {"HOME": str(account.home), "USER": account.name, "LOGNAME": account.name}


def _everybody_writes(folder: str) -> bool:
    try:
        return bool(Path(folder).stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False


def without_runtime_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """What user code may see of the environment in which localfn was started."""
    return {
        name: value for name, value in environment.items() if name not in OURS and not name.startswith(OUR_PREFIXES)
    }
