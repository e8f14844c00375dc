"""Record the running `up` of a home in a file, so that `localfn status` and `down` find it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from infra.supervisor.log_file import LogFile
from infra.supervisor.pid_records import find_process

FILE = "up.json"
STARTING, READY, STOPPING = "starting", "ready", "stopping"


@dataclass(frozen=True)
class UpRecord:
    """Describe one `up`. log: its log file, None in the foreground. state: STARTING, READY or STOPPING."""

    pid: int
    create_time: float
    host: str
    port: int
    log: str | None
    state: str = STARTING

    def process(self) -> psutil.Process | None:
        """Return the process of this `up`, or None if it has ended."""
        return find_process(self.pid, self.create_time)


def find_up(home: Path) -> UpRecord | None:
    """Return the record of the running `up` of this home; None if none runs, or a SIGKILL ended it."""
    try:
        record = UpRecord(**json.loads((home / FILE).read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
    return record if record.process() is not None else None


class UpRecordFile:
    """Keep the record of this process while it is entered. The caller holds the lock of the home."""

    def __init__(self, home: Path, host: str, port: int, log: LogFile | None) -> None:
        self._path = home / FILE
        create_time, log_path = psutil.Process().create_time(), str(log.path) if log is not None else None
        self._record = UpRecord(os.getpid(), create_time, host, port, log_path)

    def __enter__(self) -> "UpRecordFile":
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the process ends: a record that stays names no running one
            self._path.unlink(missing_ok=True)

    def set_ready(self) -> None:
        self._set_state(READY)

    @contextmanager
    def until_stop(self) -> Iterator[None]:
        """Record at the end of the block that this `up` stops."""
        try:
            yield
        finally:
            self._set_state(STOPPING)

    def _set_state(self, state: str) -> None:
        self._record = replace(self._record, state=state)
        with suppress(OSError):  # the runtime runs, and stops, without its record, for example on a full disk
            self._write()

    def _write(self) -> None:
        # Written and renamed: a reader never sees half a record.
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self._record)))
        new.replace(self._path)
