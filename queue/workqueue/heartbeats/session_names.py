"""Name the sessions of each process in pg_stat_activity, so that an operator and `doctor` can count the processes."""

import os
import socket
from enum import StrEnum

PREFIX = "localfn"  # the whole name of a session of a command


class Process(StrEnum):
    """Name the processes that keep sessions open."""

    WEB = "web"
    SCHEDULER = "scheduler"
    HOUSEKEEPER = "housekeeper"
    WORKER = "worker"


def session_name(process: Process) -> str:
    """Return the application_name of this process and its children. The host is last: PostgreSQL cuts names."""
    return f"{PREFIX} {process} {os.getpid()} {socket.gethostname()}"


def read_session_name(name: str) -> tuple[Process, str] | None:
    """Return the kind of process behind a session, and its host; None for commands and other programs."""
    words = name.split(" ", 3)
    if len(words) != 4 or words[0] != PREFIX or words[1] not in list(Process):
        return None
    return Process(words[1]), words[3]
