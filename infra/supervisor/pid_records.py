"""Record the processes of an `up` on disk, so that the next `up` can end them after a SIGKILL.

The system reuses pids. Pid and start time together identify a process.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from infra.supervisor.termination import END_TIMEOUT_S, Steps, is_alive, terminate_trees

# Linux computes start times from the boot time: when the clock is set, all start times move.
CLOCK_DRIFT_S = 2.0


@dataclass(frozen=True)
class PidRecord:
    """Identify one started process."""

    pid: int
    create_time: float
    # Of its ChildSpec: a later `up` stops the process as its supervisor would.
    stop_steps: Steps
    # Later stages use earlier ones and are stopped first.
    stage: int = 0
    # Host and port of a process that serves HTTP.
    address: tuple[str, int] | None = None
    # By its supervisor, since the start of `up`.
    restarts: int = 0

    def process(self) -> psutil.Process | None:
        """Return the recorded process, or None if it has ended."""
        return find_process(self.pid, self.create_time)


def find_process(pid: int, create_time: float) -> psutil.Process | None:
    """Return the process with this pid and start time, or None if it has ended."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - create_time) > CLOCK_DRIFT_S:
            return None
    except psutil.Error:
        return None
    return process if is_alive(process) else None


class PidRecords:
    """Store one file per running child, named after it, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        name: str,
        pid: int,
        stop_steps: Steps,
        *,
        stage: int,
        address: tuple[str, int] | None = None,
        restarts: int = 0,
    ) -> None:
        """Record a process that was just started, unless it has already ended."""
        try:
            create_time = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        record = PidRecord(pid, create_time, stop_steps, stage, address, restarts)
        path = self.folder / f"{name}.json"
        # Written and renamed: a crash never leaves half a record.
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(record)))
        new.replace(path)

    def remove(self, name: str) -> None:
        (self.folder / f"{name}.json").unlink(missing_ok=True)

    def find(self, name: str) -> PidRecord | None:
        try:
            fields = json.loads((self.folder / f"{name}.json").read_text())
            if "stop_signal" in fields:  # the format of version 0.1
                fields["stop_steps"] = [(fields.pop("stop_signal"), END_TIMEOUT_S)]
            return PidRecord(**fields)
        except (OSError, ValueError, TypeError):
            return None

    def find_running(self) -> dict[str, PidRecord]:
        """Return the records of all running processes by name, in the order of their stages."""
        found = ((path.stem, self.find(path.stem)) for path in sorted(self.folder.glob("*.json")))
        running = [(name, record) for name, record in found if record and record.process()]
        return dict(sorted(running, key=lambda entry: entry[1].stage))

    def is_running(self, name: str) -> bool:
        record = self.find(name)
        return record is not None and record.process() is not None

    def recover(self) -> list[str]:
        """End the processes of a killed `up`; return the names of the ones still running."""
        running = self.find_running()
        for stage in sorted({record.stage for record in running.values()}, reverse=True):
            of_stage = [record for record in running.values() if record.stage == stage]
            terminate_trees([(process, record.stop_steps) for record in of_stage if (process := record.process())])
        for path in self.folder.glob("*.json"):
            self.remove(path.stem)
        return sorted(running)
