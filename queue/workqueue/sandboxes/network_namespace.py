"""Starts what must not reach anybody, where only root can part it from the network.

A sandbox leaves the network by itself, as the root of a namespace of users. Some systems let nobody make one; there
root takes the network away before it starts the sandbox, so that the import has none either.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
OWN = Path("/proc/self/ns/net")


@contextmanager
def without_network() -> Iterator[bool]:
    """What is started in the block has a network with nothing in it; gives whether it does. One thread may run."""
    libc = ctypes.CDLL(None, use_errno=True)
    with OWN.open("rb") as own:
        left = libc.unshare(CLONE_NEWNET) == 0
        try:
            yield left
        finally:
            if left and libc.setns(own.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
