"""Record and check that the main loops of this machine turn, for the probes of containers: `localfn alive`.

The check needs neither PostgreSQL nor Redis, because an outage of a server must not end the processes that wait for it.
It imports little, because a probe runs it every few seconds.
"""

import fcntl
import os
import time
from pathlib import Path

FOLDER = "alive"  # in the folder `run` of LOCALFN_HOME
RECORD_S = 1.0  # more turns within this time are not written
RECORD_BYTES = 32
FORGET_S = 24 * 3600.0  # a file of another host that is older than this belongs to a container that is gone


class Liveness:
    """The file of one loop: the time of its last turn, and how long a turn may take.

    The process locks the file for as long as it lives. So a file without a lock means nothing, whatever it holds: its
    process was killed. Containers may share the folder; names of files start with the host's name.
    """

    def __init__(self, run_folder: Path, loop: str, limit_s: float) -> None:
        """loop: shown by `localfn alive`. limit_s: a longer turn counts as hanging."""
        folder = run_folder / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_old(folder)
        self._path = folder / f"{_prefix()}{os.getpid()}.{loop}"
        new = self._path.with_name(f".{self._path.name}")  # no other process looks at it before it is locked
        self._fd = os.open(new, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._limit_s = limit_s
        self._recorded_at = float("-inf")
        self._is_writable = True
        self.record()
        new.replace(self._path)

    def record(self) -> None:
        """Record that the loop turns. The write replaces bytes in place, so it needs no room on a full disk."""
        now = time.monotonic()
        if now - self._recorded_at < RECORD_S:
            return
        self._recorded_at = now
        try:
            os.pwrite(self._fd, f"{now:.3f} {self._limit_s:g}".ljust(RECORD_BYTES).encode(), 0)
        except OSError as error:
            if self._is_writable:
                import logging  # a probe does without it

                fields = {"path": str(self._path), "error": str(error)}
                logging.getLogger(__name__).warning("turn of a loop not recorded", extra=fields)
            self._is_writable = False
        else:
            self._is_writable = True

    def close(self) -> None:
        """Remove the file: the loop has ended in order."""
        self._path.unlink(missing_ok=True)
        os.close(self._fd)


def find_problem(run_folder: Path) -> str | None:
    """Return why the processes of this host that use this folder do not make progress; None if all do."""
    now, is_any, hanging = time.monotonic(), False, []
    for path in sorted((run_folder / FOLDER).glob(f"{_prefix()}*")):
        record = _read_if_locked(path)
        if record is None:
            continue
        is_any = True
        recorded_at, limit_s = record
        if now - recorded_at > limit_s:
            hanging.append(f"{path.name.rpartition('.')[2]} hangs: no turn for {now - recorded_at:.0f} s")
    if not is_any:
        return f"no web, worker or scheduler process of {run_folder.parent} runs on this host"
    return "; ".join(hanging) or None


def _prefix() -> str:
    return f"{os.uname().nodename}."


def _read_if_locked(path: Path) -> tuple[float, float] | None:
    """Return time and limit, or None if the process that wrote them has ended."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        if _is_unlocked(fd):
            return None
        recorded_at, _, limit_s = os.read(fd, RECORD_BYTES).decode().partition(" ")
        return float(recorded_at), float(limit_s)
    finally:
        os.close(fd)


def _is_unlocked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_old(folder: Path) -> None:
    """Remove files of processes that were killed: of this host, and those of other hosts that are a day old."""
    for path in folder.iterdir():
        try:
            is_old = path.name.startswith(_prefix()) or time.time() - path.stat().st_mtime > FORGET_S
            if is_old and _read_if_locked(path) is None:
                path.unlink()
        except FileNotFoundError:
            continue  # another process has removed it
