"""Processes whose parent died before them. Where the system can, they become our children instead of init's.

So nothing that a killed worker or a daemonising function had started outlives `up`. Only Linux can;
elsewhere what was still a descendant when the stop began is ended, and the rest is the user's.
"""

import ctypes
import sys

import psutil

from infra.ending import descendants, kill_all

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Not ended as soon as they come: a sandbox clears up by itself when its worker has gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_descendants() -> None:
    """Kill everything below this process."""
    kill_all(descendants(psutil.Process()))
