"""Read what the processes of a stack use, from /proc (Linux)."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

GROUPS = ("product", "worker pool", "servers")
BACKEND = "postgres: session"
SOCKET = re.compile(r" (\d+) \S+ (\d+) +users:\(\(.*?pid=(\d+)")  # numbers of a socket and its peer, and its process
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
    found = list(_walk(psutil.Process(pid), "up", "product"))
    labels, clients = {process.pid: label for process, label, _ in found}, _clients()
    for process, label, group in found:
        if label == BACKEND:
            label = f"{label} of {labels.get(clients.get(process.pid, 0), 'unknown')}"
        try:
            reading |= _read(process, label, group, with_memory=with_memory)
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    return reading


def _clients() -> dict[int, int]:
    """Return the pids of PostgreSQL's sessions, each with that of its client; empty without the program `ss`."""
    if shutil.which("ss") is None:
        return {}
    done = subprocess.run(["ss", "-xpH"], capture_output=True, text=True, check=True)
    ends = {end[1]: (end[2], int(end[3])) for end in map(SOCKET.search, done.stdout.splitlines()) if end}
    return {pid: ends[peer][1] for peer, pid in ends.values() if peer in ends}


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
        return BACKEND if "[local]" in line or " idle" in line else line
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
