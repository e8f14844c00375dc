"""How much of this machine's processors had nothing to do lately."""

import psutil

WEIGHT = 0.5  # of the newest look: the system counts in hundredths of a second, and a look covers only five


class CpuMonitor:
    """Looked at regularly: each look covers the time since the last."""

    def __init__(self) -> None:
        psutil.cpu_percent(interval=None)  # the first one has nothing to compare with
        self._idle = 0.0

    def idle_count(self) -> float:
        """A part from 0 to 1, averaged over the last few looks."""
        now = 1.0 - float(psutil.cpu_percent(interval=None)) / 100.0
        self._idle += WEIGHT * (now - self._idle)
        return self._idle
