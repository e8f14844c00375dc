"""Start a sandbox without network where only root can make a network namespace.

Elsewhere a sandbox leaves the network by itself, as the root of a user namespace. Some systems forbid user namespaces;
there root enters an empty network namespace before it starts the sandbox, so that the import has no network either.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
OWN_NAMESPACE = Path("/proc/thread-self/ns/net")  # other threads stay in the network


@contextmanager
def without_network() -> Iterator[bool]:
    """Start processes from this thread without network, in the block; yield whether that works."""
    libc = ctypes.CDLL(None, use_errno=True)
    with OWN_NAMESPACE.open("rb") as own:
        has_left = libc.unshare(CLONE_NEWNET) == 0
        try:
            yield has_left
        finally:
            if has_left and libc.setns(own.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
