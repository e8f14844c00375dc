"""LOCALFN_HOME: the folder of everything localfn keeps, and the lock that lets only one `up` use it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.errors import HomeError
from infra.records import Records
from workqueue.sandboxes.account import Account

FOLDERS = ("run", "files", "work", "spool")
SHUT, ENTERED, READ = 0o700, 0o711, 0o755  # by others; who enters alone sees no names


class Home:
    """The folder of one runtime. Only its owner may enter: uploads, results and a password lie in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records = Records(root / "run")

    def make(self) -> None:
        """Make the folders. Raises HomeError when they cannot be made or written."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in FOLDERS:
                (self.root / name).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise unusable(self.root, error) from error

    def admit(self, account: Account, sdk: Path) -> None:
        """Let it get to its working directories, its home and the SDK, and to nothing else."""
        modes = {self.root / "work": ENTERED, sdk: READ}  # Python lists what it imports from
        try:
            if account.home.parent == self.root:
                account.home.mkdir(mode=SHUT, exist_ok=True)
                account.own(account.home)
            for folder in self.root.iterdir():
                if folder.is_dir() and not folder.is_symlink():
                    folder.chmod(modes.get(folder, SHUT))
            self.root.chmod(ENTERED)
        except OSError as error:
            raise unusable(self.root, error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home against a second `up`. The lock ends with the process, however that ends."""
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unusable(self.root, error) from error
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise HomeError(
                f"localfn already runs with {self.root} (pid {pid}); stop it, or set LOCALFN_HOME to another folder."
            ) from error
        try:
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except OSError as error:
            raise unusable(self.root, error) from error


def unusable(root: Path, error: OSError) -> HomeError:
    """The one line for a home that the system refuses: no permission, a file in its place, a full disk."""
    return HomeError(f"LOCALFN_HOME {root} cannot be used: {error.strerror or error}.")
