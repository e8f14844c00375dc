"""Measure the memory that is left for further sandboxes, on the machine and in the control group of this process."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

MIB = 1024 * 1024
MIN_FREE_MB = 128  # below this no further sandbox is started
MEASURE_S = 0.2  # a measurement serves for this long
CGROUP_V2 = Path("/sys/fs/cgroup")


class FreeMemory:
    """Measure seldom. measure: returns the free MiB."""

    def __init__(self, measure: Callable[[], float]) -> None:
        self._measure = measure
        self._measured_at = float("-inf")
        self._free_mb = 0.0

    def is_short(self) -> bool:
        """Return whether less than MIN_FREE_MB are left."""
        if time.monotonic() - self._measured_at >= MEASURE_S:
            self._measured_at, self._free_mb = time.monotonic(), self._measure()
        return self._free_mb < MIN_FREE_MB


def free_mb() -> float:
    """Return the MiB that can be used without swapping, and without exceeding the limit of the control group.

    Infinite if it cannot be read, as when this process has no descriptor left.
    """
    try:
        machine = psutil.virtual_memory().available / MIB
    except (psutil.Error, OSError):
        return float("inf")
    group = _group_free_mb(_own_group())
    return machine if group is None else min(machine, group)


def _own_group() -> Path:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return CGROUP_V2
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return CGROUP_V2 / path.lstrip("/")


def _group_free_mb(group: Path) -> float | None:
    """Return the MiB that are left of the group's limit; None without a limit. Page cache counts as free."""
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit == "max":
            return None
        used = int((group / "memory.current").read_text())
        words = (line.split() for line in (group / "memory.stat").read_text().splitlines())
        cache = next((int(word[1]) for word in words if word[0] == "inactive_file"), 0)
    except (OSError, ValueError, IndexError):
        return None
    return (int(limit) - used + cache) / MIB
