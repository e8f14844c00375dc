"""Name leftover descriptors and threads of a request for its user."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable

MAX_NAMES = 5  # named in one message; the others are counted
MAX_NAME = 100  # characters of a name


def describe_fd(fd: int) -> str:
    """Return a descriptor as "number: target"; its number alone where the system does not report the target."""
    try:
        return f"{fd}: {os.readlink(f'/proc/self/fd/{fd}')}"
    except OSError:
        return str(fd)


def thread_names(ids: set[int]) -> list[str]:
    """Return the names of Python's threads, and the ids of others."""
    is_native = sys.platform == "linux"
    names = {thread.native_id if is_native else thread.ident: thread.name for thread in threading.enumerate()}
    return [names.get(each) or f"id {each}" for each in sorted(ids)]


def format_names(kind: str, names: Iterable[str]) -> list[str]:
    """Return a list of one text such as "2 threads (a, b)", or an empty list."""
    all_names = [name[:MAX_NAME] for name in names]
    if not all_names:
        return []
    more = [f"{len(all_names) - MAX_NAMES} more"] if len(all_names) > MAX_NAMES else []
    counted = f"a {kind}" if len(all_names) == 1 else f"{len(all_names)} {kind}s"
    return [f"{counted} ({', '.join(all_names[:MAX_NAMES] + more)})"]
