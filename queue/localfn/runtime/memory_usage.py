"""How much memory a request has used at most."""

from __future__ import annotations

import os
import resource
import sys

from localfn.runtime.channel import open_cached

STATUS_BYTES = 16_384  # the processors of a large machine take some of them


class PeakMemory:
    """The peak of this process's resident memory, on Linux of one request: the kernel lets it start anew."""

    def __init__(self) -> None:
        # Kept open: opening them for every request would take longer than reading.
        self._status = open_cached("/proc/self/status", os.O_RDONLY)
        self._clear = open_cached("/proc/self/clear_refs", os.O_WRONLY)

    def restart(self) -> None:
        if self._clear is not None:
            try:
                os.pwrite(self._clear, b"5", 0)  # proc(5): resets the peak
            except OSError:
                self._clear = None  # user code closed it, or it is not permitted here: the peak is the sandbox's then

    def read(self) -> bytes:
        """Give what /proc/self/status says now; empty where it cannot be read."""
        if self._status is not None:
            try:
                return os.pread(self._status, STATUS_BYTES, 0)
            except OSError:
                self._status = None  # user code closed it
        return b""

    def mb(self, status: bytes) -> float:
        """Give the peak in MiB. status: what `read` gave."""
        try:
            return round(int(status.split(b"VmHWM:", 1)[1].split(None, 1)[0]) / 1024, 1)
        except (IndexError, ValueError):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)
