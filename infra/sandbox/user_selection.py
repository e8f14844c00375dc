"""Who functions run as. Root never by default: an account that has nothing, if it reaches what a function needs.

Three answers: whoever started localfn, who is not root; an account of their own; or root, and then why.
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

from infra.config.settings import Settings
from infra.errors import InfraError, SettingsError
from infra.sandbox import sdk_link
from workqueue.functions import discovery
from workqueue.sandboxes.interpreter import prelude, search_path
from workqueue.sandboxes.user import UnixUser

NAME = "localfn"  # of one that no file lists
# Given to nobody: neither by distributions and useradd nor by systemd (systemd.io/UIDS-GIDS), and inside of the 65,536
# that a container without root of the machine has.
UIDS = range(60_706, 61_184)
FOLDER = "account"  # in the home: what such an account has for a home
# What we do for another account: chown, reading and removing its files, ending its processes, becoming it.
CAPABILITIES = {0: "CHOWN", 1: "DAC_OVERRIDE", 3: "FOWNER", 5: "KILL", 6: "SETGID", 7: "SETUID"}
ANSWER_S = 30.0
FAULTS = (OSError, ValueError, subprocess.SubprocessError)
ASK = "from localfn.runtime.access_probe import main; main()"
ORDINARY = "Run localfn as an ordinary user, or set LOCALFN_SANDBOX_USER=root if you mean it."
REMEDY = (
    "Put it where every account may go, name an account that may in LOCALFN_SANDBOX_USER, "
    "or set LOCALFN_SANDBOX_USER=root if you mean it."
)


class SandboxUserError(InfraError):
    """Functions would run as root, and nobody said so."""


@dataclass(frozen=True, slots=True)
class UserChoice:
    """account: who runs functions; None: whoever we are. problem: why that is root although nobody said so.

    open: files with secrets in them that the account can read.
    """

    account: UnixUser | None = None
    problem: str = ""
    open: tuple[str, ...] = ()


def find_user(settings: Settings) -> UserChoice:
    """Changes nothing. Raises SettingsError for a LOCALFN_SANDBOX_USER that is none."""
    wanted = settings.sandbox_user
    named = _named(wanted, settings.home) if wanted is not None else None
    if os.geteuid() != 0:
        if named is not None and named.uid != os.geteuid():
            raise SettingsError(f"LOCALFN_SANDBOX_USER: only root can run functions as somebody else ({wanted}).")
        return UserChoice()
    if named is not None and named.uid == 0:
        return UserChoice()
    account = named or _own(settings.home)
    if (problem := _missing_capabilities()) or (problem := _postgres_runs_as(account, settings.home)):
        return UserChoice(problem=problem)
    return _ask(account, settings)


def choose_user(settings: Settings, found: UserChoice) -> UnixUser | None:
    """Raises SandboxUserError where root must not be what is left: in production, or when somebody was named."""
    if found.problem and (settings.is_production or settings.sandbox_user is not None):
        raise SandboxUserError(f"functions would run as root: {found.problem}")
    return found.account


def _named(wanted: str, home: Path) -> UnixUser:
    try:
        entry = pwd.getpwuid(int(wanted)) if wanted.isdecimal() else pwd.getpwnam(wanted)
    except (KeyError, OverflowError):
        if not wanted.isdecimal() or not 0 < int(wanted) < 2**32 - 1:
            raise SettingsError(f"LOCALFN_SANDBOX_USER: there is no account {wanted!r}.") from None
        return UnixUser(NAME, int(wanted), int(wanted), home / FOLDER)
    own = Path(entry.pw_dir)
    has_home = own.is_dir() and own.stat().st_uid == entry.pw_uid
    return UnixUser(entry.pw_name, entry.pw_uid, entry.pw_gid, own if has_home else home / FOLDER)


def _own(home: Path) -> UnixUser:
    """One that no file lists, and hardly another home has: functions of two runtimes do not meet."""
    first = zlib.crc32(os.fsencode(home.resolve())) % len(UIDS)
    uid = next(uid for uid in (*UIDS[first:], *UIDS[:first]) if _is_free(uid))
    return UnixUser(NAME, uid, uid, home / FOLDER)


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
        return f"on this system root cannot run them as somebody else. {ORDINARY}"
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    missing = [name for bit, name in CAPABILITIES.items() if not effective >> bit & 1]
    if not missing:
        return ""
    return f"this root lacks CAP_{', CAP_'.join(missing)}. {ORDINARY}"


def _postgres_runs_as(account: UnixUser, home: Path) -> str:
    """Where PostgreSQL had to be given an account that there is (infra/embedded/unprivileged_user.py)."""
    data = home / "postgres"
    if data.exists() and data.stat().st_uid == account.uid:
        return f"the embedded PostgreSQL runs as {account}, too: its files would be open to them. {ORDINARY}"
    return ""


def _ask(account: UnixUser, settings: Settings) -> UserChoice:
    """The account itself tries, with the interpreter that it is to run."""
    above = next(path for path in settings.home.parents if path.exists())
    units = [unit.path for unit in discovery.find_units(settings.functions) if os.sep in unit.path]
    asked = {"entered": [str(above)], "read": units, "secret": [str(Path.cwd() / ".env")]}
    try:
        answer = _answer(settings.python, asked, user=account.uid, group=account.gid, extra_groups=[])
    except subprocess.TimeoutExpired:
        return UserChoice(account)  # to be slow is no reason for root
    except FAULTS as error:
        if not _is_sound(settings.python, asked):
            return UserChoice(account)  # it is broken, for root too: once it is mended, it is not root's to run
        if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EINVAL):
            return UserChoice(problem=f"this root cannot become {account}. {ORDINARY}")
        python = Path(settings.python).resolve()
        return UserChoice(problem=f"{account} cannot run {python} with {sdk_link.source()} ({error}). {REMEDY}")
    for path, bar in answer["barred"].items():
        name = "LOCALFN_FUNCTIONS" if path in units else "LOCALFN_HOME"
        where = bar if bar == path else f"{bar}, where {name} {path} lies"
        return UserChoice(problem=f"{account} has no access to {where}. {REMEDY}")
    return UserChoice(replace(account, can_unshare_network=answer["parts_network"]), open=tuple(answer["open"]))


def _is_sound(python: str, asked: dict[str, list[str]]) -> bool:
    """Whether root can run the interpreter."""
    try:
        _answer(python, asked)
    except FAULTS:
        return False
    return True


def _answer(python: str, asked: dict[str, list[str]], **identity: Any) -> dict[str, Any]:
    folder = sdk_link.source().parent
    done = subprocess.run(
        [python, "-B", "-c", prelude(folder) + ASK],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=ANSWER_S,
        env={"PYTHONPATH": search_path(folder)},
        cwd="/",
        **identity,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise ValueError(lines[-1])
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
