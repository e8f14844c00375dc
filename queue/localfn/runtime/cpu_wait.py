"""How long a request had to wait for a processor: what it took on a busy machine is not what it takes."""

from __future__ import annotations

import os

from localfn.runtime.channel import open_cached

SHORT_S = 0.0002  # what took no longer did not wait, or too little to be told apart


class CpuWait:
    """Of this process's main thread, in which functions run. Linux tells; elsewhere nothing was waited for."""

    def __init__(self) -> None:
        self._stat = open_cached("/proc/self/schedstat", os.O_RDONLY)
        self._before = b""

    def restart(self) -> None:
        self._before = self._read()

    def seconds(self, passed_s: float) -> float:
        """Seconds of those that have passed since `restart`."""
        if passed_s < SHORT_S or not self._before:
            return 0.0
        try:
            before, now = (int(text.split()[1]) for text in (self._before, self._read()))
        except (IndexError, ValueError):
            return 0.0
        return min((now - before) / 1e9, passed_s)

    def _read(self) -> bytes:
        """proc(5): nanoseconds on a processor, nanoseconds of waiting for one, slices."""
        if self._stat is None:
            return b""
        try:
            return os.pread(self._stat, 128, 0)
        except OSError:
            self._stat = None  # user code closed it
            return b""
