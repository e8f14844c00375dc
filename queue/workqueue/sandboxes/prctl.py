"""Ties processes together, where the system can (Linux): orphans to an ancestor, a child's life to its parent's."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Descendants that lose their parent come to this process instead of to init. Elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: signal.Signals) -> None:
    """Asks the kernel to send `number` to this process when the thread that forked it ends.

    Elsewhere than on Linux nothing happens: an orphan then ends with its next request.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
