"""What `localfn doctor` looks at on this machine: interpreter, folders, files, pages, clock."""

import os
import platform
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from infra.config import capacity, file_storage
from infra.config.settings import DEFAULT_FUNCTIONS, Settings
from infra.disk_reserve import disk_of
from infra.doctor.finding import CheckResult
from infra.errors import InterpreterError, SettingsError
from infra.sandbox import user_selection
from infra.sandbox.interpreter_check import check_interpreter
from infra.spa_assets import publish
from workqueue.errors import BucketMissingError
from workqueue.files.disk_space import MIB
from workqueue.files.store import StorageError
from workqueue.functions import discovery

GIB = 1024**3
MIN_FREE_BYTES = GIB
MAX_CLOCK_DIFFERENCE_S = 2.0


def interpreter(settings: Settings) -> CheckResult:
    shown = f"Python {platform.python_version()}, functions run with {settings.python}"
    try:
        check_interpreter(settings.python)
    except InterpreterError as error:
        return CheckResult("interpreter", False, str(error), "set LOCALFN_PYTHON to a CPython 3.9 or newer")
    return CheckResult("interpreter", True, shown)


def account(settings: Settings) -> CheckResult:
    """Who functions run as, seen from whoever calls this."""
    try:
        found = user_selection.find_user(settings)
        runs_them = user_selection.choose_user(settings, found)
    except SettingsError as error:
        return CheckResult("account", False, str(error), "name one that there is")
    except user_selection.SandboxUserError as error:
        return CheckResult("account", False, "functions do not run", str(error))
    who = runs_them or f"uid {os.geteuid()}, as localfn does"
    todo = found.problem or "; ".join(f"chmod 600 {path}: it is open to functions" for path in found.open)
    return CheckResult("account", True, f"functions run as {who}", todo)


def home(settings: Settings) -> CheckResult:
    """A home that is not there yet is made by `up`, in the nearest folder that is."""
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=folder).close()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = error.strerror or str(error)
        todo = "make it writable, or set LOCALFN_HOME to another folder"
        return CheckResult("home", False, f"{folder} cannot be written: {reason}", todo)
    shown = f"{settings.home}, {free / GIB:.1f} GiB free"
    disk = disk_of(settings)
    if free < disk.min_free_bytes:
        left = f"{free // MIB} MiB are free, {disk.min_free_bytes // MIB} MiB are needed"
        detail = f"the disk of {settings.home} is full: {left}"
        return CheckResult("home", False, detail, "free some space; what waits goes on by itself then")
    if free < MIN_FREE_BYTES:
        return CheckResult("home", False, shown, "free some space: uploads, results and the database lie there")
    return CheckResult("home", True, shown)


def folders(settings: Settings) -> CheckResult:
    missing = discovery.find_missing_sources(settings.functions)
    if missing == [DEFAULT_FUNCTIONS]:
        return CheckResult(
            "folders", True, f"{DEFAULT_FUNCTIONS} is not there yet", "make it, or set LOCALFN_FUNCTIONS"
        )
    if missing:
        detail = f"{', '.join(missing)} is neither a folder nor a module"
        return CheckResult("folders", False, detail, "correct LOCALFN_FUNCTIONS, or make the folder")
    return CheckResult("folders", True, ":".join(map(_abbreviate_home, settings.functions)))


def open_files(settings: Settings) -> CheckResult:
    """Whether the pool may have as many as its concurrency needs."""
    try:
        capacity.raise_file_limit(settings.concurrency)
    except SettingsError as error:
        return CheckResult("open files", False, str(error), "ulimit -Hn tells the limit; systemd: LimitNOFILE=")
    return CheckResult("open files", True, f"enough for {settings.concurrency} requests at a time")


def files(settings: Settings) -> CheckResult:
    """Whether uploads and output files can be kept; in a folder, `home` has told."""
    try:
        file_storage.make_store(settings.files, settings.home).check_available()
    except (BucketMissingError, StorageError) as error:
        todo = "correct LOCALFN_FILES, the credentials or the address of S3; `localfn init` makes a bucket locally"
        return CheckResult("files", False, f"{settings.files}: {error.args[-1]}", todo)
    return CheckResult("files", True, settings.files)


def pages(settings: Settings) -> CheckResult:
    """Whether the screen's files are there, with this runtime's addresses in them."""
    found = publish.published_assets(settings.home)
    if found is None:
        return CheckResult("pages", True, "not made ready; the API needs none, `./dev up` builds them")
    if found != publish.BaseUrls(settings.static_root, settings.api_root):
        detail = f"made for {found.static or '/'} and {found.api}"
        return CheckResult("pages", False, detail, "write the new addresses into them with `localfn init`")
    return CheckResult("pages", True, f"at {found.static or '/'}, they ask {found.api or '/'}")


def clocks(database: datetime, here: datetime) -> CheckResult:
    """localfn goes by the database's clock; logs, certificates and S3 by this machine's."""
    apart_s = (here - database).total_seconds()
    if abs(apart_s) > MAX_CLOCK_DIFFERENCE_S:
        way = "ahead of" if apart_s > 0 else "behind"
        detail = f"this machine is {abs(apart_s):.0f} s {way} the database"
        return CheckResult(
            "clock", False, detail, "set it by NTP: its logs tell wrong times, and S3 refuses wrong clocks"
        )
    return CheckResult("clock", True, f"{abs(apart_s):.1f} s from the database's")


def _abbreviate_home(path: str) -> str:
    home = str(Path.home())
    return f"~{path.removeprefix(home)}" if path.startswith(f"{home}/") else path
