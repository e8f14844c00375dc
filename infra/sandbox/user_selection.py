"""Choose the Unix user that runs functions. Root is never the default.

The choice is the account that started localfn, if it is not root; a dedicated unprivileged account, if it has access to
all that functions need; or root, together with the reason.
"""

import errno
import grp
import json
import os
import pwd
import subprocess
import sys
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.config.setting_files import layers
from infra.config.settings import SEPARATORS, Settings
from infra.errors import InfraError, SettingsError
from infra.sandbox import sdk_link
from workqueue.functions import discovery
from workqueue.sandboxes.interpreter import prelude, search_path
from workqueue.sandboxes.unix_user import UnixUser

DEDICATED_NAME = "localfn"  # an account that is not in /etc/passwd
# Neither distributions and useradd nor systemd assign these IDs (systemd.io/UIDS-GIDS). They are within the 65,536 IDs
# of a rootless container.
DEDICATED_UIDS = range(60_706, 61_184)
HOME_FOLDER = "account"  # in LOCALFN_HOME: the home of such an account
# Needed to act for another account: chown, read and remove its files, end its processes, switch to it.
CAPABILITIES = {0: "CHOWN", 1: "DAC_OVERRIDE", 3: "FOWNER", 5: "KILL", 6: "SETGID", 7: "SETUID"}
PROBE_TIMEOUT_S = 30.0
PROBE_ERRORS = (OSError, ValueError, subprocess.SubprocessError)
PROBE_CODE = "from localfn.runtime.access_probe import main; main()"
HINT_UNPRIVILEGED = "Run localfn as an unprivileged user, or allow it with LOCALFN_SANDBOX_USER=root."
HINT_ACCESS = (
    "Move it to a folder that every account can access, set LOCALFN_SANDBOX_USER to an account with access, "
    "or allow root with LOCALFN_SANDBOX_USER=root."
)


class SandboxUserError(InfraError):
    """Functions would run as root without an explicit setting."""


@dataclass(frozen=True, slots=True)
class UserChoice:
    """Hold the chosen user. account: None means the account of this process.

    problem: why functions would run as root without an explicit setting.
    readable_secrets: files with secrets that functions can read.
    """

    account: UnixUser | None = None
    problem: str = ""
    readable_secrets: tuple[str, ...] = ()


def find_user(settings: Settings) -> UserChoice:
    """Find the user without changing anything. Raises SettingsError for an unusable LOCALFN_SANDBOX_USER."""
    wanted = settings.sandbox_user
    named = _configured_user(wanted, settings.home) if wanted is not None else None
    if os.geteuid() != 0:
        if named is not None and named.uid != os.geteuid():
            raise SettingsError(f"LOCALFN_SANDBOX_USER: only root can run functions as another account ({wanted}).")
        return UserChoice()
    if named is not None and named.uid == 0:
        return UserChoice()
    account = named or _dedicated_user(settings.home)
    if (problem := _missing_capabilities()) or (problem := _postgres_runs_as(account, settings.home)):
        return UserChoice(problem=problem)
    return _probe_access(account, settings)


def choose_user(settings: Settings, found: UserChoice) -> UnixUser | None:
    """Return the user. Raises SandboxUserError if only root is left in production, or despite a configured user."""
    if found.problem and (settings.is_production or settings.sandbox_user is not None):
        raise SandboxUserError(f"functions would run as root: {found.problem}")
    return found.account


def _configured_user(wanted: str, home: Path) -> UnixUser:
    try:
        entry = pwd.getpwuid(int(wanted)) if wanted.isdecimal() else pwd.getpwnam(wanted)
    except (KeyError, OverflowError):
        if not wanted.isdecimal() or not 0 < int(wanted) < 2**32 - 1:
            raise SettingsError(f"LOCALFN_SANDBOX_USER: the account {wanted!r} does not exist.") from None
        return UnixUser(DEDICATED_NAME, int(wanted), int(wanted), home / HOME_FOLDER)
    own = Path(entry.pw_dir)
    has_home = own.is_dir() and own.stat().st_uid == entry.pw_uid
    return UnixUser(entry.pw_name, entry.pw_uid, entry.pw_gid, own if has_home else home / HOME_FOLDER)


def _dedicated_user(home: Path) -> UnixUser:
    """Return an unlisted account, chosen by a hash of the home: functions of two runtimes hardly ever share one."""
    first = zlib.crc32(os.fsencode(home.resolve())) % len(DEDICATED_UIDS)
    uid = next(uid for uid in (*DEDICATED_UIDS[first:], *DEDICATED_UIDS[:first]) if _is_free(uid))
    return UnixUser(DEDICATED_NAME, uid, uid, home / HOME_FOLDER)


def _is_free(uid: int) -> bool:
    for look_up in (pwd.getpwuid, grp.getgrgid):
        try:
            look_up(uid)
        except KeyError:
            continue
        return False
    return True


def _missing_capabilities() -> str:
    if sys.platform != "linux":
        return f"on this system root cannot run functions as another account. {HINT_UNPRIVILEGED}"
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    missing = [name for bit, name in CAPABILITIES.items() if not effective >> bit & 1]
    if not missing:
        return ""
    return f"this root lacks CAP_{', CAP_'.join(missing)}. {HINT_UNPRIVILEGED}"


def _postgres_runs_as(account: UnixUser, home: Path) -> str:
    """Return a problem if the embedded PostgreSQL runs as this account (infra/embedded/unprivileged_user.py)."""
    data = home / "postgres"
    if data.exists() and data.stat().st_uid == account.uid:
        return f"the embedded PostgreSQL also runs as {account}: functions could read its files. {HINT_UNPRIVILEGED}"
    return ""


def _probe_access(account: UnixUser, settings: Settings) -> UserChoice:
    """Let the account probe its access, with the interpreter that runs functions."""
    above = next(path for path in settings.home.parents if path.exists())
    units = [unit.path for unit in discovery.find_units(settings.functions) if os.sep in unit.path]
    asked = {
        "entered": [str(above)],
        "read": units,
        "secret": [str(path) for path in layers.secret_files(Path.cwd(), SEPARATORS)],
    }
    try:
        answer = _run_probe(settings.python, asked, user=account.uid, group=account.gid, extra_groups=[])
    except subprocess.TimeoutExpired:
        return UserChoice(account)  # a slow probe does not justify root
    except PROBE_ERRORS as error:
        if not _runs_as_root(settings.python, asked):
            return UserChoice(account)  # the interpreter is broken for root, too; root gains nothing
        if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EINVAL):
            return UserChoice(problem=f"this root cannot switch to {account}. {HINT_UNPRIVILEGED}")
        python = Path(settings.python).resolve()
        sdk = sdk_link.sdk_folder()
        return UserChoice(problem=f"{account} cannot run {python} with {sdk} ({error}). {HINT_ACCESS}")
    for path, bar in answer["barred"].items():
        name = "LOCALFN_FUNCTIONS" if path in units else "LOCALFN_HOME"
        where = bar if bar == path else f"{bar}, which contains {name} {path}"
        return UserChoice(problem=f"{account} has no access to {where}. {HINT_ACCESS}")
    return UserChoice(
        replace(account, can_unshare_network=answer["parts_network"]), readable_secrets=tuple(answer["open"])
    )


def _runs_as_root(python: str, asked: dict[str, list[str]]) -> bool:
    """Return True if root can run the interpreter."""
    try:
        _run_probe(python, asked)
    except PROBE_ERRORS:
        return False
    return True


def _run_probe(python: str, asked: dict[str, list[str]], **identity: Any) -> dict[str, Any]:
    folder = sdk_link.sdk_folder().parent
    done = subprocess.run(
        [python, "-B", "-c", prelude(folder) + PROBE_CODE],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=PROBE_TIMEOUT_S,
        env={"PYTHONPATH": search_path(folder)},
        cwd="/",
        **identity,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(lines[-1])
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
