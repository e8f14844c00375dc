"""Measure how long a request waited for a processor, to subtract it from durations on a busy machine."""

from __future__ import annotations

import os

from localfn.runtime.channel import open_cached

SHORT_S = 0.0002  # shorter requests waited too little to measure


class CpuWait:
    """Measure the main thread, in which functions run. Linux only; elsewhere 0."""

    def __init__(self) -> None:
        self._stat = open_cached("/proc/self/schedstat", os.O_RDONLY)
        self._before = b""

    def restart(self) -> None:
        self._before = self._read()

    def seconds(self, passed_s: float) -> float:
        """Return the seconds of waiting since `restart`.

        passed_s: all seconds since `restart`, the upper bound.
        """
        if passed_s < SHORT_S or not self._before:
            return 0.0
        try:
            before, now = (int(text.split()[1]) for text in (self._before, self._read()))
        except (IndexError, ValueError):
            return 0.0
        return min((now - before) / 1e9, passed_s)

    def _read(self) -> bytes:
        """Read schedstat, proc(5): nanoseconds on a processor, nanoseconds of waiting for one, time slices."""
        if self._stat is None:
            return b""
        try:
            return os.pread(self._stat, 128, 0)
        except OSError:
            self._stat = None  # user code closed it
            return b""
