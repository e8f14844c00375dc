"""What LOCALFN_CONCURRENCY needs: connections to PostgreSQL and, in the worker pool, open files.

A pool that runs short of either fails at requests, one here and one there; so it is found out before it starts.
"""

import resource

from infra.errors import SettingsError

OF_WEB = 40  # its processes together; a server has 100 for everybody unless told otherwise
OF_SCHEDULER = 6  # chores, ticker, numbers; two locks of who leads; one to spare
OF_SCOUT = 1
OF_WORKER = 2  # its own thread and the keeper's, while something lasts
FOR_PEOPLE = 60  # commands, psql, other machines' processes, and what asks whether a slow server is there
LEAST_CONNECTIONS = 200  # of an embedded server
FILES_OF_SANDBOX = 5  # workqueue.sandboxes.process.Ends
FILES_OF_WORKER = 2 * FILES_OF_SANDBOX + 1  # one sandbox lent, another one warm, and the line to it
OTHER_FILES = 64  # of a pool: its log, Redis, the zygote, what is read for a moment


def required_connections(concurrency: int) -> int:
    """How many all processes of this machine may have to PostgreSQL at a time."""
    return OF_WEB + OF_SCHEDULER + OF_SCOUT + OF_WORKER * concurrency


def embedded_connections(concurrency: int) -> int:
    """How many an embedded PostgreSQL allows."""
    return max(LEAST_CONNECTIONS, required_connections(concurrency) + FOR_PEOPLE)


def required_files(concurrency: int) -> int:
    """How many the pool may have open."""
    return OTHER_FILES + FILES_OF_WORKER * concurrency


def raise_file_limit(concurrency: int) -> None:
    """Raises this process's own limit of open files, and its children's, if need be. Raises SettingsError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = required_files(concurrency)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        most = (hard - OTHER_FILES) // FILES_OF_WORKER
        raise SettingsError(
            f"LOCALFN_CONCURRENCY: {concurrency} needs {needed} open files, and {hard} are allowed (ulimit -Hn); "
            f"raise that limit, or set it to {max(1, most)} at most."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
