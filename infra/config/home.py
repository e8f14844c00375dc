"""Create LOCALFN_HOME, the folder for all data of one runtime, and lock it for one `up`."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from infra.errors import HomeError
from infra.supervisor.output import print_message
from infra.supervisor.pid_records import PidRecords
from infra.supervisor.termination import is_alive
from workqueue.sandboxes.unix_user import UnixUser

FOLDERS = ("run", "files", "work", "spool")
MAX_GUARD_WAIT_S, POLL_INTERVAL_S = 30.0, 0.05  # for the guard of a killed `up` to end its processes
OWNER_ONLY, TRAVERSABLE, READABLE = 0o700, 0o711, 0o755  # traversing shows no names


class Home:
    """Represent the folder of one runtime. Only its owner may enter: it holds uploads, results and a password."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records = PidRecords(root / "run")

    def make(self) -> None:
        """Create the folders. Raises HomeError when they cannot be created or written."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in FOLDERS:
                (self.root / name).mkdir(mode=0o700, exist_ok=True)
            self._keep_out_of_git()
        except OSError as error:
            raise home_error(self.root, error) from error

    def _keep_out_of_git(self) -> None:
        """Let git ignore the home, which lies inside a project by default and contains passwords."""
        with contextlib.suppress(FileExistsError), (self.root / ".gitignore").open("x") as file:
            file.write("*\n")

    def admit_sandbox_user(self, account: UnixUser, sdk: Path) -> None:
        """Let the sandbox user access its working directories, its home and the SDK, and nothing else."""
        modes = {self.root / "work": TRAVERSABLE, sdk: READABLE}  # Python lists the folders on its path
        try:
            if account.home.parent == self.root:
                account.home.mkdir(mode=OWNER_ONLY, exist_ok=True)
                account.chown(account.home)
            for folder in self.root.iterdir():
                if folder.is_dir() and not folder.is_symlink():
                    folder.chmod(modes.get(folder, OWNER_ONLY))
            self.root.chmod(TRAVERSABLE)
        except OSError as error:
            raise home_error(self.root, error) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """Lock the home against a second `up`; yield the lock's descriptor. The last process that inherits it holds it.

        After `up` is killed, its guard holds the lock until all processes of that `up` have ended.
        """
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise home_error(self.root, error) from error
        try:
            self._lock(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        if not _try_lock(descriptor):
            pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            if _is_running(pid):
                hint = "`localfn down` stops it, or set LOCALFN_HOME to another folder"
                raise HomeError(f"localfn already runs with {self.root} (pid {pid}); {hint}.")
            print_message("a previous run was killed; waiting for its processes to end")
            _wait_for_guard(descriptor, self.root)
        try:
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise home_error(self.root, error) from error


def _try_lock(descriptor: int) -> bool:
    """Try to take the lock; return False if another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_running(pid: str) -> bool:
    return not pid.isdecimal() or (psutil.pid_exists(int(pid)) and is_alive(psutil.Process(int(pid))))


def _wait_for_guard(descriptor: int, root: Path) -> None:
    ends_at = time.monotonic() + MAX_GUARD_WAIT_S
    while not _try_lock(descriptor):
        if time.monotonic() > ends_at:
            raise HomeError(
                f"processes of a killed run with {root} have not ended within {MAX_GUARD_WAIT_S:g} s; end them."
            )
        time.sleep(POLL_INTERVAL_S)


def home_error(root: Path, error: OSError) -> HomeError:
    """Return the error for a home that the system refuses: no permission, a file in its place, a full disk."""
    return HomeError(f"LOCALFN_HOME {root} cannot be used: {error.strerror or error}.")
