"""Check this machine for `localfn doctor`: interpreter, folders, files, SPA, clock."""

import os
import platform
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from infra import spa_assets
from infra.config import capacity
from infra.config.settings import DEFAULT_FUNCTIONS, Settings
from infra.disk_reserve import disk_of
from infra.doctor import CheckResult
from infra.errors import InterpreterError, SettingsError
from infra.sandbox import user_selection
from infra.sandbox.function_sources import find_missing
from infra.sandbox.interpreter_check import check_interpreter
from workqueue.errors import BucketMissingError
from workqueue.files.disk_space import MIB
from workqueue.files.store import StorageError

GIB = 1024**3
MIN_FREE_BYTES = GIB
MAX_CLOCK_DIFFERENCE_S = 2.0


def interpreter(settings: Settings) -> CheckResult:
    detail = f"Python {platform.python_version()}; functions run with {settings.python}"
    try:
        check_interpreter(settings.python)
    except InterpreterError as error:
        return CheckResult("interpreter", False, str(error), "set LOCALFN_PYTHON to CPython 3.9 or newer")
    return CheckResult("interpreter", True, detail)


def account(settings: Settings) -> CheckResult:
    """Check which account functions run as, if this account starts localfn."""
    try:
        found = user_selection.find_user(settings)
        user = user_selection.choose_user(settings, found)
    except SettingsError as error:
        return CheckResult("account", False, str(error), "set LOCALFN_SANDBOX_USER to an existing account")
    except user_selection.SandboxUserError as error:
        return CheckResult("account", False, "functions cannot run", str(error))
    account = user or f"uid {os.geteuid()}, like localfn itself"
    hint = found.problem or "; ".join(f"chmod 600 {path}: functions can read it" for path in found.readable_secrets)
    return CheckResult("account", True, f"functions run as {account}", hint)


def home(settings: Settings) -> CheckResult:
    """Check that the home, or the nearest existing parent in which `up` creates it, can be written and has space."""
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=folder).close()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "make it writable, or set LOCALFN_HOME to another folder"
        return CheckResult("home", False, f"{folder} cannot be written: {reason}", hint)
    shown = f"{settings.home}, {free / GIB:.1f} GiB free"
    disk = disk_of(settings)
    if free < disk.min_free_bytes:
        space = f"{free // MIB} MiB are free, {disk.min_free_bytes // MIB} MiB are needed"
        detail = f"the disk of {settings.home} is full: {space}"
        return CheckResult("home", False, detail, "free some space; waiting requests then continue")
    if free < MIN_FREE_BYTES:
        return CheckResult("home", False, shown, "free some space for uploads, results and the database")
    return CheckResult("home", True, shown)


def folders(settings: Settings) -> CheckResult:
    missing = find_missing(settings.functions)
    if missing == [DEFAULT_FUNCTIONS]:
        return CheckResult(
            "folders",
            True,
            f"{DEFAULT_FUNCTIONS} does not exist yet",
            "create it, or write a project with `localfn new`",
        )
    if missing:
        detail = f"neither a folder nor a module: {', '.join(missing)}"
        return CheckResult("folders", False, detail, "correct LOCALFN_FUNCTIONS, or create the folder")
    return CheckResult("folders", True, ":".join(map(_abbreviate_home, settings.functions)))


def open_files(settings: Settings) -> CheckResult:
    """Check that the pool may open the files that its concurrency needs."""
    try:
        capacity.raise_file_limit(settings.concurrency)
    except SettingsError as error:
        return CheckResult("open files", False, str(error), "raise the limit (ulimit -Hn; systemd: LimitNOFILE=)")
    return CheckResult("open files", True, f"enough for {settings.concurrency} concurrent requests")


def files(settings: Settings) -> CheckResult:
    """Check that the file store is available; `home` checks the folder of `file:`."""
    try:
        settings.make_store().check_available()
    except (BucketMissingError, StorageError) as error:
        hint = "correct LOCALFN_FILES, the credentials or the S3 endpoint; locally `localfn init` creates a bucket"
        return CheckResult("files", False, f"{settings.files}: {error.args[-1]}", hint)
    return CheckResult("files", True, settings.files)


def pages(settings: Settings) -> CheckResult:
    """Check that the SPA is published with the current base URLs."""
    found = spa_assets.published_assets(settings.home)
    if found is None:
        return CheckResult("pages", True, "not published; the API works without them, `./dev up` builds them")
    if found != spa_assets.BaseUrls(settings.static_root, settings.api_root):
        detail = f"published for {found.static or '/'} and {found.api}"
        return CheckResult("pages", False, detail, "publish them for the new base URLs with `localfn init`")
    return CheckResult("pages", True, f"at {found.static or '/'}, with the API at {found.api or '/'}")


def clocks(database: datetime, here: datetime) -> CheckResult:
    """Compare the clocks: localfn uses the database's clock; logs, certificates and S3 use this machine's."""
    apart_s = (here - database).total_seconds()
    if abs(apart_s) > MAX_CLOCK_DIFFERENCE_S:
        way = "ahead of" if apart_s > 0 else "behind"
        detail = f"this machine is {abs(apart_s):.0f} s {way} the database"
        return CheckResult(
            "clock", False, detail, "synchronise this machine by NTP: its log times are wrong, and S3 rejects its calls"
        )
    return CheckResult("clock", True, f"{abs(apart_s):.1f} s from the database's")


def _abbreviate_home(path: str) -> str:
    home = str(Path.home())
    return f"~{path.removeprefix(home)}" if path.startswith(f"{home}/") else path
