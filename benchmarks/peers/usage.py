"""Read what process trees use: processor time, memory (Linux)."""

from collections.abc import Iterable
from pathlib import Path

import psutil

KIB_PER_MB = 1000 * 1000 / 1024


def processor_s(pids: Iterable[int]) -> float:
    """Return the processor time of processes and their descendants, with those that have ended and were waited for."""
    total = 0.0
    for process in _trees(pids):
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mb(pids: Iterable[int]) -> float:
    """Return the memory of processes and their descendants; what several share is counted once (PSS)."""
    return sum(_pss_kib(process.pid) for process in _trees(pids)) / KIB_PER_MB


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1])


def _trees(pids: Iterable[int]) -> list[psutil.Process]:
    roots = [psutil.Process(pid) for pid in pids]
    return [each for root in roots for each in (root, *root.children(recursive=True))]
