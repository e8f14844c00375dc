"""Keep other processes of the same account from inspecting the runtime's processes in production.

Functions may run as the worker's account. On Linux that account can read the environment and memory of its processes
in /proc, with URLs and passwords, unless the process is not dumpable. Local mode allows debuggers and profilers.
"""

import ctypes
import sys

from infra.config.settings import Settings

PR_SET_DUMPABLE = 4


def disable_ptrace(settings: Settings) -> None:
    """Disable dumping for this process and its forks in production; a program that it executes must repeat the call."""
    if settings.is_production and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
