"""Which processes an `up` has started, on disk, so that the next one can end what a SIGKILL left running.

A pid alone says nothing after a while: the system gives it to somebody else. With the time at which the
process began it names one process for good.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from infra.supervisor.termination import PATIENCE_S, Steps, is_alive, terminate_trees

# Linux counts from the boot: when the clock is set, every process's create time moves with it.
CLOCK_DRIFT_S = 2.0


@dataclass(frozen=True)
class Record:
    """One process that we started."""

    pid: int
    create_time: float
    # As of a ChildSpec: whoever ends it later does so as gently as its supervisor.
    stop_steps: Steps
    # Later stages use the earlier ones and are ended first.
    stage: int = 0
    # Host and port, of a process that serves HTTP.
    address: tuple[str, int] | None = None

    def process(self) -> psutil.Process | None:
        """The very process, or None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.create_time) > CLOCK_DRIFT_S:
                return None
        except psutil.Error:
            return None
        return process if is_alive(process) else None


class Records:
    """A folder with one file per running child, named after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, pid: int, stop_steps: Steps, stage: int, address: tuple[str, int] | None = None) -> None:
        """Note a process that was just started; one that has ended already is left out."""
        try:
            create_time = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        path = self.folder / f"{name}.json"
        # Renamed into place: half a record, after a crash in the middle, would be none.
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(Record(pid, create_time, stop_steps, stage, address))))
        new.replace(path)

    def remove(self, name: str) -> None:
        (self.folder / f"{name}.json").unlink(missing_ok=True)

    def find(self, name: str) -> Record | None:
        try:
            fields = json.loads((self.folder / f"{name}.json").read_text())
            if "stop_signal" in fields:  # of version 0.1
                fields["stop_steps"] = [(fields.pop("stop_signal"), PATIENCE_S)]
            return Record(**fields)
        except (OSError, ValueError, TypeError):
            return None

    def is_running(self, name: str) -> bool:
        record = self.find(name)
        return record is not None and record.process() is not None

    def recover(self) -> list[str]:
        """End the processes of an `up` that was killed; returns the names of those that were still there."""
        found = {path.stem: self.find(path.stem) for path in self.folder.glob("*.json")}
        running = {name: record for name, record in found.items() if record and record.process()}
        for stage in sorted({record.stage for record in running.values()}, reverse=True):
            of_stage = [record for record in running.values() if record.stage == stage]
            terminate_trees([(process, record.stop_steps) for record in of_stage if (process := record.process())])
        for name in found:
            self.remove(name)
        return sorted(running)
