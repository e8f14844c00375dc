"""Compute what LOCALFN_WORKERS and LOCALFN_CONCURRENCY need: PostgreSQL connections, and open files of a worker.

A pool that runs out of either fails single requests at random; checking at the start prevents that.
"""

import os

from infra.errors import SettingsError

WEB_CONNECTIONS = 40  # of all web processes together; PostgreSQL allows 100 in total by default
SCHEDULER_CONNECTIONS = 6  # maintenance, ticker, metrics; two leader locks; one spare
HOUSEKEEPER_CONNECTIONS = 1
CONNECTIONS_PER_WORKER = 4  # claims and leases; ends; upkeep, and a spare one of it
SPARE_CONNECTIONS = 60  # commands, psql, processes of other machines, and probes of a slow server
MIN_CONNECTIONS = 200  # limit of an embedded server
# Channels (workqueue.sandboxes.process.SandboxPipes), the process, and two spool files.
FILES_PER_SANDBOX = 8
FILES_PER_REQUEST = 2 * FILES_PER_SANDBOX  # one sandbox at work, and one that is kept warm
OTHER_FILES = 128  # of a worker: log, PostgreSQL, Redis, zygote, files that are read briefly


def cores() -> int:
    """Return the number of cores that this process may use: a container's share, if the system reports it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def required_connections(workers: int) -> int:
    """Return the maximum number of PostgreSQL connections of all processes of this machine."""
    return WEB_CONNECTIONS + SCHEDULER_CONNECTIONS + HOUSEKEEPER_CONNECTIONS + CONNECTIONS_PER_WORKER * workers


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
