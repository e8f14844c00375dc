"""What LOCALFN_CONCURRENCY needs: connections to PostgreSQL and, in the worker pool, open files.

A pool that runs short of either fails at requests, one here and one there; so it is found out before it starts.
"""

import resource

from infra.errors import SettingsError

WEB_CONNECTIONS = 40  # its processes together; a server has 100 for everybody unless told otherwise
SCHEDULER_CONNECTIONS = 6  # chores, ticker, numbers; two locks of who leads; one to spare
HOUSEKEEPER_CONNECTIONS = 1
CONNECTIONS_PER_WORKER = 2  # its own thread and the keeper's, while something lasts
SPARE_CONNECTIONS = 60  # commands, psql, other machines' processes, and what asks whether a slow server is there
MIN_CONNECTIONS = 200  # of an embedded server
FILES_PER_SANDBOX = 5  # workqueue.sandboxes.process.Ends
FILES_PER_WORKER = 2 * FILES_PER_SANDBOX + 1  # one sandbox lent, another one warm, and the line to it
OTHER_FILES = 64  # of a pool: its log, Redis, the zygote, what is read for a moment


def required_connections(concurrency: int) -> int:
    """How many all processes of this machine may have to PostgreSQL at a time."""
    return WEB_CONNECTIONS + SCHEDULER_CONNECTIONS + HOUSEKEEPER_CONNECTIONS + CONNECTIONS_PER_WORKER * concurrency


def embedded_connections(concurrency: int) -> int:
    """How many an embedded PostgreSQL allows."""
    return max(MIN_CONNECTIONS, required_connections(concurrency) + SPARE_CONNECTIONS)


def required_files(concurrency: int) -> int:
    """How many the pool may have open."""
    return OTHER_FILES + FILES_PER_WORKER * concurrency


def raise_file_limit(concurrency: int) -> None:
    """Raises this process's own limit of open files, and its children's, if need be. Raises SettingsError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = required_files(concurrency)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        most = (hard - OTHER_FILES) // FILES_PER_WORKER
        raise SettingsError(
            f"LOCALFN_CONCURRENCY: {concurrency} needs {needed} open files, and {hard} are allowed (ulimit -Hn); "
            f"raise that limit, or set it to {max(1, most)} at most."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
