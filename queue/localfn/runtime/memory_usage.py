"""Measure the peak memory of a request."""

from __future__ import annotations

import os
import resource
import sys

from localfn.runtime.channel import open_cached

STATUS_BYTES = 16_384  # a large machine lists many processors


class PeakMemory:
    """Read the peak of resident memory: on Linux since `restart`, elsewhere since the process started."""

    def __init__(self) -> None:
        # Kept open: to open them takes longer than to read them.
        self._status = open_cached("/proc/self/status", os.O_RDONLY)
        self._clear = open_cached("/proc/self/clear_refs", os.O_WRONLY)

    def restart(self) -> None:
        if self._clear is not None:
            try:
                os.pwrite(self._clear, b"5", 0)  # proc(5): resets the peak
            except OSError:
                self._clear = None  # closed by user code, or not permitted: the peak is the one of the sandbox

    def read(self) -> bytes:
        """Return /proc/self/status, or nothing if it cannot be read."""
        if self._status is not None:
            try:
                return os.pread(self._status, STATUS_BYTES, 0)
            except OSError:
                self._status = None  # user code closed it
        return b""

    def mb(self, status: bytes) -> float:
        """Return the peak in MiB.

        status: the result of `read`.
        """
        try:
            return round(int(status.split(b"VmHWM:", 1)[1].split(None, 1)[0]) / 1024, 1)
        except (IndexError, ValueError):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)
