"""In production no process of the same account looks into ours: a function may run as the account that its worker has.

Addresses and passwords stand in a process's variables and memory, which /proc shows to whoever has its account, unless
it is closed (Linux). A developer's own machine stays open to his debugger and profiler.
"""

import ctypes
import sys

from infra.config.settings import Settings

PR_SET_DUMPABLE = 4


def disable_ptrace(settings: Settings) -> None:
    """For good, and for what is forked off this process; a program that it starts begins open again."""
    if settings.is_production and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
