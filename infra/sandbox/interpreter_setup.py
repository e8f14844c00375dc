"""Prepare the interpreter of sandboxes: SDK folder, user, and an environment without the runtime's settings."""

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from infra.config.home import Home
from infra.config.settings import Settings
from infra.sandbox import sdk_link, user_selection
from infra.sandbox.function_sources import check_sources
from workqueue.sandboxes.interpreter import Interpreter
from workqueue.sandboxes.unix_user import UnixUser, drop_supplementary_groups

log = logging.getLogger(__name__)

RUNTIME_VARS = frozenset({"DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "REDIS_URL_FILE"})
RUNTIME_PREFIXES = ("LOCALFN_", "POSTGRES_", "RQ_", "SUPERUSER_")
# Folders of the account that started localfn.
USER_DIRECTORY_VARS = frozenset(
    {"MAIL", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"}
)
TEMPORARY_VARS = ("TMPDIR", "TEMP", "TMP")


def prepare_interpreter(settings: Settings) -> Interpreter:
    """Choose the sandbox user, grant it access, and return the interpreter. Raises SettingsError, SandboxUserError."""
    check_sources(settings.functions)
    found = user_selection.find_user(settings)
    user = user_selection.choose_user(settings, found)
    if found.problem:
        log.warning("functions run as root", extra={"reason": found.problem})
    for path in found.readable_secrets:
        log.warning("file with secrets readable by functions; chmod 600 it", extra={"path": path})
    folder, environment = sdk_link.ensure_link(settings.home), without_runtime_variables(os.environ)
    if user is not None:
        drop_supplementary_groups()
        Home(settings.home).admit_sandbox_user(user, folder)
        environment = user_environment(user, environment)
    return Interpreter(
        python=settings.python,
        sdk=folder,
        environment=environment,
        max_result_bytes=settings.max_result_bytes,
        account=user,
    )


def user_environment(account: UnixUser, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for this user: its own home, and only temporary folders that it can write."""
    kept = {name: value for name, value in environment.items() if name not in USER_DIRECTORY_VARS}
    for name in TEMPORARY_VARS:
        if name in kept and not _is_world_writable(kept[name]):
            del kept[name]
    if account.name == user_selection.DEDICATED_NAME:
        # Only functions write to this home: a package that one installs must not run at the start of others.
        kept["PYTHONNOUSERSITE"] = "1"
    return kept | {"HOME": str(account.home), "USER": account.name, "LOGNAME": account.name}


def _is_world_writable(folder: str) -> bool:
    try:
        return bool(Path(folder).stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False


def without_runtime_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the runtime's own settings, for user code."""
    return {
        name: value
        for name, value in environment.items()
        if not (name in RUNTIME_VARS or name.startswith(RUNTIME_PREFIXES))
    }
