"""Read what the processes of a stack use, from /proc (Linux)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

GROUPS = ("product", "worker pool", "servers")
SERVERS = ("postgres", "valkey-server", "redis-server")


@dataclass(slots=True)
class Usage:
    """Hold the usage of one thread since its start; the main thread has the figures of the whole process, too.

    voluntary, involuntary: context switches. reaped_s: processor time of child processes that have ended.
    """

    label: str
    group: str
    is_main: bool
    pss_mb: float = 0.0
    cpu_s: float = 0.0
    voluntary: int = 0
    involuntary: int = 0
    reaped_s: float = 0.0


Reading = dict[int, Usage]  # by id of the thread


def read_stack(pid: int, *, with_memory: bool) -> Reading:
    """Read the process of `localfn up` and all its descendants. with_memory: also their memory, which takes long."""
    reading: Reading = {}
    for process, label, group in _walk(psutil.Process(pid), "up", "product"):
        try:
            reading |= _read(process, label, group, with_memory=with_memory)
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    return reading


def _walk(process: psutil.Process, label: str, group: str) -> Iterator[tuple[psutil.Process, str, str]]:
    yield process, label, group
    for child in process.children():
        name = _describe(child.cmdline(), label)
        yield from _walk(child, name, _group_of(name, group))


def _describe(command: list[str], parent: str) -> str:
    """Return a short name of a process. parent: that of its parent."""
    line = " ".join(command).strip()
    program = Path(line.split()[0]).name if line else ""
    if program in SERVERS:
        return program
    if line.startswith("postgres: "):
        return "postgres: backend" if "[local]" in line or " idle" in line else line
    if "orphan_guard" in line:
        return "orphan guard"
    if "zygote" in line:
        return "zygote" if parent == "worker" else "sandbox"
    name = command[-1] if command else "ended"
    return f"{name} (child)" if parent == name else name


def _group_of(name: str, parent_group: str) -> str:
    if name in SERVERS:
        return "servers"
    return "worker pool" if name == "worker" else parent_group


def _read(process: psutil.Process, label: str, group: str, *, with_memory: bool) -> Reading:
    found: Reading = {}
    for task in (Path("/proc") / str(process.pid) / "task").iterdir():
        usage = Usage(label, group, is_main=int(task.name) == process.pid)
        usage.cpu_s = int((task / "schedstat").read_text().split()[0]) / 1e9
        status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        usage.voluntary = int(status["voluntary_ctxt_switches"])
        usage.involuntary = int(status["nonvoluntary_ctxt_switches"])
        found[int(task.name)] = usage
    main, times = found[process.pid], process.cpu_times()
    main.reaped_s = times.children_user + times.children_system
    if with_memory:
        main.pss_mb = process.memory_full_info().pss / 1e6
    return found
