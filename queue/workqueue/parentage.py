"""Ties a process to its parent: when the parent dies, however it dies, the child gets a signal. Linux only."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(number: signal.Signals) -> None:
    """Asks the kernel to send `number` to this process when the thread that forked it ends.

    Elsewhere than on Linux nothing happens: an orphan then ends with its next request.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
