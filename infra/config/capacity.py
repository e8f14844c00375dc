"""Compute what LOCALFN_WORKERS and LOCALFN_CONCURRENCY need: PostgreSQL connections, and open files of a worker.

A pool that runs out of either fails single requests at random; checking at the start prevents that.
"""

import os
from collections.abc import Mapping
from math import ceil
from pathlib import Path

from infra.errors import SettingsError
from workqueue.heartbeats.session_names import Process

WEB_CONNECTIONS = 40  # of all web processes together; PostgreSQL allows 100 in total by default
WEB_CONNECTIONS_BESIDE_POOL = 2  # of each web process: the readiness check, and the listener for functions
SCHEDULER_CONNECTIONS = 8  # its threads: reconciler, ticker, bookkeeping, removal, metrics; leader locks; two spare
# The most connections that each process opens.
CONNECTIONS = {
    Process.WEB: WEB_CONNECTIONS,
    Process.SCHEDULER: SCHEDULER_CONNECTIONS,
    Process.HOUSEKEEPER: 1,
    Process.WORKER: 4,  # claims and leases; ends; upkeep, and a spare one of it
}
SPARE_CONNECTIONS = 60  # commands, psql, processes of other machines, and probes of a slow server
MIN_CONNECTIONS = 200  # limit of an embedded server
# Channels (workqueue.sandboxes.process.SandboxPipes), the process, and two spool files.
FILES_PER_SANDBOX = 8
FILES_PER_REQUEST = 2 * FILES_PER_SANDBOX  # one sandbox at work, and one that is kept warm
CGROUPS = Path("/sys/fs/cgroup")
OTHER_FILES = 128  # of a worker: log, PostgreSQL, Redis, zygote, files that are read briefly


def cores() -> int:
    """Return the number of cores that this process may use: the machine's, or those of its container's limit."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(CGROUPS, Path("/proc/self/cgroup"))
    return available if quota is None else min(available, max(1, ceil(quota)))


def cpu_quota(cgroups: Path, own: Path) -> float | None:
    """Return the cores that the control groups of this process may use; None without a limit.

    Version 2 has cpu.max in each group on the way up. In a container of version 1 the mounted folder is its own group.
    """
    path = next((line[3:] for line in _read(own).splitlines() if line.startswith("0::")), "/")
    group = cgroups / path.strip("/")
    groups = [each for each in (group, *group.parents) if each.is_relative_to(cgroups)]
    limits = [_read(each / "cpu.max").split() for each in groups]
    limits.append([_read(cgroups / "cpu" / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")])
    # "max", and -1 of version 1, are no limits.
    found = [int(limit[0]) / int(limit[1]) for limit in limits if len(limit) == 2 and limit[0].isdecimal()]
    return min(found, default=None)


def _read(path: Path) -> str:
    """Return the text of a file of the kernel; an empty one if this system has no such file."""
    try:
        return path.read_text()
    except OSError:
        return ""


def pool_processes(workers: int) -> dict[Process, int]:
    """Return the processes of one worker pool that use PostgreSQL."""
    return {Process.HOUSEKEEPER: 1, Process.WORKER: workers}


def machine_processes(workers: int) -> dict[Process, int]:
    """Return the processes of a machine that runs all of them."""
    return {Process.WEB: 1, Process.SCHEDULER: 1} | pool_processes(workers)


def max_connections_of(processes: Mapping[Process, int]) -> int:
    """Return the most connections that these processes open; a probe of a slow server comes on top for seconds."""
    return sum(CONNECTIONS[process] * count for process, count in processes.items())


def required_connections(workers: int) -> int:
    """Return the maximum number of PostgreSQL connections of all processes of this machine."""
    return max_connections_of(machine_processes(workers))


def embedded_connections(workers: int) -> int:
    """Return the connection limit of an embedded PostgreSQL."""
    return max(MIN_CONNECTIONS, required_connections(workers) + SPARE_CONNECTIONS)


def required_files(concurrency: int) -> int:
    """Return the maximum number of open files of a worker that runs all requests of this machine."""
    return OTHER_FILES + FILES_PER_REQUEST * concurrency


def raise_file_limit(concurrency: int) -> None:
    """Raise the limit of open files of this process and of its children if needed. Raises SettingsError."""
    import resource  # not on Windows, where commands that call a runtime elsewhere read the settings, too

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = required_files(concurrency)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        allowed = max(1, (hard - OTHER_FILES) // FILES_PER_REQUEST)
        raise SettingsError(
            f"LOCALFN_CONCURRENCY: {concurrency} needs {needed} open files, but the limit is {hard} (ulimit -Hn); "
            f"raise the limit, or set LOCALFN_CONCURRENCY to at most {allowed}."
        )
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError) as error:  # macOS reports no limit, and has one (kern.maxfilesperproc)
        raise SettingsError(
            f"LOCALFN_CONCURRENCY: {concurrency} needs {needed} open files, which the system refuses ({error}); "
            "use a smaller number."
        ) from error
