"""Measure a sandbox's memory while it runs, and count the kills of the kernel's out-of-memory killer."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from workqueue.sandboxes import process_tree

TREE_EVERY = 10  # each tenth measurement includes the descendants
# A process with much memory takes a while to die, and the kernel counts its kill before that.
RECENT_MEASUREMENTS = 20
CGROUPS = Path("/sys/fs/cgroup")


class OomKills:
    """Count the kills of the out-of-memory killer in this process's control group.

    files: kernel files with a line `oom_kill N`, of which the first readable one counts; None to find them. count: at
    the last `read`; None before the first one, and where the kernel does not count.
    """

    def __init__(self, files: Sequence[Path] | None = None) -> None:
        self.count: int | None = None
        self._files = files

    def read(self) -> int | None:
        """Read the kernel's count."""
        if self._files is None:  # not sooner: most workers never need it
            self._files = oom_counters()
        self.count = _oom_kills(self._files)
        return self.count


class MemoryWatch:
    """Compare a sandbox's resident memory with its limit; include its descendants now and then.

    limit_mb: None for no limit. oom_kills: shared by all sandboxes of a worker, and read before their measurements.
    """

    def __init__(self, pid: int, limit_mb: int | None, oom_kills: OomKills) -> None:
        self.pid = pid
        self.limit_mb = limit_mb
        self.last_mb: float | None = None
        self._oom_kills = oom_kills
        self._recent: deque[int] = deque(maxlen=RECENT_MEASUREMENTS)
        self._measurements = 0

    def measure_excess(self) -> float | None:
        """Measure the memory. Return the MiB in use if they exceed the limit, else None."""
        self._measurements += 1
        if self._oom_kills.count is not None:
            self._recent.append(self._oom_kills.count)
        measure = process_tree.resident_mb if self._measurements % TREE_EVERY == 0 else process_tree.own_resident_mb
        used = measure(self.pid)
        self.last_mb = used or self.last_mb
        return used if self.limit_mb is not None and used > self.limit_mb else None

    def was_killed_for_memory(self) -> bool:
        """Return True if the out-of-memory killer ended a process of this control group since the last measurements.

        False where the kernel does not count kills, and before the first measurement.
        """
        if not self._recent:
            return False
        kills = self._oom_kills.read()
        return kills is not None and kills > self._recent[0]

    def last_measurement(self) -> str:
        """Return the last measurement as a sentence; an empty string before the first one."""
        if self.last_mb is None:
            return ""
        allowed = "" if self.limit_mb is None else f"; {self.limit_mb} MB are allowed"
        return f" It used {self.last_mb:.0f} MB of memory when that was last measured{allowed}."


def oom_counters(of_process: str = "self") -> list[Path]:
    """Return the kernel file that counts the kills of the out-of-memory killer, the closest to this process.

    Sandboxes run in the control group of their worker. Without control groups the kernel counts for the whole machine.
    """
    try:
        lines = Path(f"/proc/{of_process}/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return []
    found = []
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if not controllers:
            found.append(CGROUPS / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            # In a container the path of the group often does not exist: its folder is mounted as the root.
            found += [CGROUPS / "memory" / place / "memory.oom_control" for place in (path.lstrip("/"), "")]
    return [file for file in [*found, Path("/proc/vmstat")] if file.exists()][:1]


def _oom_kills(counters: Sequence[Path]) -> int | None:
    for file in counters:
        try:
            words = [line.split() for line in file.read_text().splitlines()]
            return next(int(word[1]) for word in words if word[0] == "oom_kill")
        except (OSError, StopIteration, ValueError, IndexError):
            continue
    return None
