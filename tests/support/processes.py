"""Read the state of processes that may end at any moment, each between its listing and its reading."""

import contextlib
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

Read = TypeVar("Read")


def is_alive(pid: int) -> bool:
    """Return True if the process exists and is no zombie."""
    return any(read_each([pid], lambda process: process.status() != psutil.STATUS_ZOMBIE))


def children_of(pid: int, recursive: bool = False) -> list[psutil.Process]:
    """Return the children that exist, zombies included; an empty list if the process is gone."""
    try:
        return psutil.Process(pid).children(recursive=recursive)
    except psutil.NoSuchProcess:
        return []


def read_each(processes: Iterable[int | psutil.Process], read: Callable[[psutil.Process], Read]) -> list[Read]:
    """Return what `read` returns for each process, without those that have ended meanwhile."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            found.append(read(psutil.Process(process) if isinstance(process, int) else process))
    return found
