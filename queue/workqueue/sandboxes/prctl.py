"""Tie processes to each other by prctl(2) on Linux: adopt orphans, and end a child with its parent."""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
POLL_S = 0.5


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, instead of init. Do nothing on other systems than Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: signal.Signals) -> None:
    """Ask the kernel to send a signal to this process when the thread that forked it ends.

    Elsewhere a thread of this process watches the parent, and sends the signal within POLL_S.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    else:
        threading.Thread(target=_watch_parent, args=(os.getppid(), number), name="parent watch", daemon=True).start()


def _watch_parent(parent: int, number: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os.kill(os.getpid(), number)
